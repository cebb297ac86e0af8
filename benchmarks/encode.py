"""Seconds and peak memory of encoding one volume, for both VAEs, a process each.

python benchmarks/encode.py [--cases small:80x96x80 maisi-random:80x96x80 ...] [--rounds
3] [--device cuda] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from machine import add_device, hardware, use_device

CASES = ["small:80x96x80", "maisi-random:80x96x80", "small:192x192x192", "maisi-random:192x192x192"]


def measure(case: str, rounds: int, where: str) -> dict[str, Any]:
    import torch

    from machine import high_water_gb, name_of, timed, use_device
    from neuromf.autoencoder.load import load_vae

    name, _, size = case.partition(":")
    device = use_device(where)
    vae = load_vae(name, device)
    x = torch.rand(
        1, 1, *(int(n) for n in size.split("x")), generator=torch.Generator().manual_seed(0)
    ).to(device)
    vae.encode(x[..., :16, :16, :16])
    before = high_water_gb(device)
    times = []
    for _ in range(rounds):
        seconds, z = timed(lambda: vae.encode(x))
        times.append(seconds)
    after = high_water_gb(device)
    seconds = statistics.median(times)
    return {
        "vae": name,
        "volume": size,
        "latent": list(z.shape[1:]),
        "seconds": round(seconds, 3),
        "scans_a_second": round(1 / seconds, 3),
        "peak_gb": round(after - before, 2),
        "device": name_of(device),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", default=CASES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", help="measure this case in this process")
    parser.add_argument("--out", type=Path)
    add_device(parser)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.rounds, options.device)))
        return
    rows = []
    for case in options.cases:
        command = [sys.executable, __file__, "--one", case, "--rounds", str(options.rounds)]
        command += ["--device", options.device]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        rows.append(
            json.loads(done.stdout.splitlines()[-1])
            if done.returncode == 0
            else {"case": case, "failed": "killed: out of memory"}
        )
        print(rows[-1], flush=True)
    if options.out:
        found = hardware(use_device(options.device))
        result = {"hardware": found, "rounds": options.rounds, "rows": rows}
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
