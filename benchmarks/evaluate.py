"""What an evaluation costs: seconds and peak memory of `neuromf evaluate` by
number of volumes; FID two ways.

`python benchmarks/evaluate.py SAMPLES REFERENCE --n 250 1000 [--device cuda] --out FILE`. Each run
starts with an empty cache. Memory is that of all processes together, looked at twice a second;
that of a GPU is not seen. Distances are computed on the CPU.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import torch
from scipy import linalg

from machine import add_device, hardware, use_device
from neuromf.metrics.frechet import Gaussian, fit_gaussian, frechet_distance
from neuromf.runtime.files import write_json

EXTRACTOR = "random-2.5d"  # RadImageNet's architecture, and so its cost


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("samples")
    arguments.add_argument("reference")
    arguments.add_argument("--n", type=int, nargs="+", default=[250, 1000])
    arguments.add_argument("--morphology", default="tissue")
    arguments.add_argument("--out", type=Path, default=None)
    add_device(arguments)
    chosen = arguments.parse_args()
    results: dict[str, Any] = {
        "hardware": hardware(use_device(chosen.device)),
        "extractor": EXTRACTOR,
        "morphology": chosen.morphology,
    }
    results["frechet"] = [frechet(2048, n) for n in (500, 4000)]
    print(results["frechet"], flush=True)
    results["runs"] = []
    for n in chosen.n:
        words = [f"morphology={chosen.morphology}", f"device={chosen.device}", f"n={n}"]
        results["runs"].append(evaluate(chosen.samples, chosen.reference, n, words))
        print(results["runs"][-1], flush=True)
        if chosen.out:
            write_json(chosen.out, results)


def evaluate(samples: str, reference: str, n: int, own: list[str]) -> dict[str, Any]:
    """Return wall seconds and peak memory of an evaluation of n volumes, with nothing kept."""
    with tempfile.TemporaryDirectory() as folder:
        words = [
            f"samples={samples}",
            f"reference={reference}",
            "splits=[val,test]",
            f"extractors=[{EXTRACTOR}]",
        ]
        words += [*own, "vae=small", f"cache={folder}/cache"]
        found = timed([*words, f"out={folder}/a"])
        record = json.loads(Path(folder, "a", "scores.json").read_text(encoding="utf-8"))
    return {"n": n, "reference": record["reference"]["n"]} | found


def timed(words: list[str]) -> dict[str, float]:
    """Return seconds and the peak memory of all processes of a command, GB."""
    started, peak = time.perf_counter(), 0.0
    process = subprocess.Popen(
        [sys.executable, "-m", "neuromf.cli", "evaluate", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None:
        peak = max(peak, memory(process.pid))
        time.sleep(0.5)
    if process.returncode:
        raise SystemExit(f"evaluate ended with {process.returncode}: {' '.join(words)}")
    return {"seconds": round(time.perf_counter() - started, 1), "peak_gb": round(peak / 1e9, 2)}


def memory(pid: int) -> int:
    """Return the memory that a process and its children hold."""
    try:
        whole = psutil.Process(pid)
        return sum(p.memory_info().rss for p in [whole, *whole.children(recursive=True)])
    except psutil.Error:
        return 0


def frechet(d: int, n: int) -> dict[str, float]:
    """Return seconds of the distance by eigenvalues and by scipy's matrix square
    root, and how far they differ.
    """
    chance = torch.Generator().manual_seed(0)
    mix = torch.randn(d, d, generator=chance) / d**0.5
    a, b = (s + torch.randn(n, d, generator=chance) @ mix * w for s, w in ((0.0, 1.0), (0.1, 1.2)))
    one, other = fit_gaussian([a]), fit_gaussian([b])
    times = []
    for _ in range(3):
        started = time.perf_counter()
        ours = frechet_distance(one, other)
        times.append(time.perf_counter() - started)
    started = time.perf_counter()
    theirs = by_square_root(one, other)
    seconds = time.perf_counter() - started
    return {
        "d": d,
        "points": n,
        "eigenvalues_s": sorted(times)[1],
        "square_root_s": seconds,
        "relative_difference": abs(ours - theirs) / theirs,
    }


def by_square_root(a: Gaussian, b: Gaussian) -> float:
    root = linalg.sqrtm((a.covariance @ b.covariance).numpy()).real
    gap = float((a.mean - b.mean).square().sum())
    return gap + float(a.covariance.trace() + b.covariance.trace()) - 2 * float(root.trace())


if __name__ == "__main__":
    main()
