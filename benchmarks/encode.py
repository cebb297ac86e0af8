"""Seconds and peak memory of encoding one volume, for both VAEs, a process each.

python benchmarks/encode.py [--cases small:80x96x80 maisi-random:80x96x80 ...] [--rounds
3] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

CASES = ["small:80x96x80", "maisi-random:80x96x80", "small:192x192x192", "maisi-random:192x192x192"]


def measure(case: str, rounds: int) -> dict[str, Any]:
    import torch

    from neuromf.autoencoder.load import load_vae

    name, _, size = case.partition(":")
    vae = load_vae(name)
    x = torch.rand(
        1, 1, *(int(n) for n in size.split("x")), generator=torch.Generator().manual_seed(0)
    )
    vae.encode(x[..., :16, :16, :16])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        z = vae.encode(x)
        times.append(time.perf_counter() - start)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seconds = statistics.median(times)
    return {
        "vae": name,
        "volume": size,
        "latent": list(z.shape[1:]),
        "seconds": round(seconds, 3),
        "scans_a_second": round(1 / seconds, 3),
        "peak_gb": round(after - before, 2),
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", default=CASES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", help="measure this case in this process")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.rounds)))
        return
    rows = []
    for case in options.cases:
        command = [sys.executable, __file__, "--one", case, "--rounds", str(options.rounds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        rows.append(
            json.loads(done.stdout.splitlines()[-1])
            if done.returncode == 0
            else {"case": case, "failed": "killed: out of memory"}
        )
        print(rows[-1], flush=True)
    if options.out:
        options.out.write_text(
            json.dumps(
                {"machine": platform.machine(), "rounds": options.rounds, "rows": rows}, indent=1
            )
            + "\n"
        )


if __name__ == "__main__":
    main()
