"""The derivative at full size: the brain UNet at latents (1, 4, 48³), by each
way, in one fresh process a way.

`python benchmarks/full_size.py [--device cuda] [--out FILE.json]`: seconds, peak memory above the
weights, and the relative difference of each rate to the exact one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from machine import CPU, add_device, hardware, peak_bytes, timed, use_device
from neuromf.flow.jvp import exact_jvp, finite_jvp, two_stream
from neuromf.nets import BRAIN, DualTimeUNet
from ways import network_with_weights

SHAPE = (1, 4, 48, 48, 48)


def forward(network: DualTimeUNet, z: Tensor, t: Tensor, r: Tensor, v: Tensor) -> Tensor:
    return network.without_head(z, t, r)


def streams(network: DualTimeUNet, z: Tensor, t: Tensor, r: Tensor, v: Tensor) -> Tensor:
    return two_stream(network, z, t, r, torch.arange(len(z), device=z.device), v)[2]


WAYS: dict[str, Callable[..., Tensor]] = {
    "a plain forward": forward,
    "exact (forward-mode AD)": exact_jvp,
    "two-stream (with the prediction)": streams,
    "finite difference": finite_jvp,
}


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--out", type=Path)
    arguments.add_argument("--way", help=argparse.SUPPRESS)
    arguments.add_argument("--rate", type=Path, help=argparse.SUPPRESS)
    add_device(arguments)
    chosen = arguments.parse_args()
    device = use_device(chosen.device)
    if chosen.way:
        print(json.dumps(one(chosen.way, chosen.rate, device)))
        return
    rows, rates = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name in WAYS:
            rate = Path(folder) / "rate.pt"
            command = [sys.executable, __file__, "--way", name, "--rate", str(rate)]
            command += ["--device", chosen.device]
            rows[name] = json.loads(
                subprocess.run(command, check=True, capture_output=True, text=True).stdout
            )
            rates[name] = torch.load(rate, weights_only=True)
    exact = rates["exact (forward-mode AD)"]
    for name in list(WAYS)[2:]:
        rows[name]["difference"] = ((rates[name] - exact).norm() / exact.norm()).item()
    for name, row in rows.items():
        print(
            f"{name:34} {row['seconds']:7.2f} s {row['peak_bytes'] / 1e6:8.0f} MB  "
            f"{row.get('difference', 0.0):.1e}"
        )
    if chosen.out:
        result = {"shape": SHAPE, "hardware": hardware(device), "ways": rows}
        chosen.out.write_text(json.dumps(result, indent=1) + "\n")


def one(name: str, rate: Path, device: torch.device = CPU) -> dict[str, float]:
    """Return seconds and peak memory of one way, and write what it computed to the file `rate`."""
    network = network_with_weights(BRAIN, device)
    generator = torch.Generator().manual_seed(1)
    z, v = torch.randn(2, *SHAPE, generator=generator).to(device).unbind(0)
    t, r = torch.tensor([[0.7], [0.2]], device=device)
    work = (network, z, t, r, v)
    result: list[Tensor] = []
    with torch.set_grad_enabled(name.startswith("two-stream")):
        if device.type == "cuda":
            WAYS[name](*work)  # the first call loads libraries
        seconds, peak = timed(lambda: peak_bytes(lambda: result.append(WAYS[name](*work)), device))
    torch.save(result[0].detach().cpu(), rate)
    return {"seconds": seconds, "peak_bytes": peak}


if __name__ == "__main__":
    main()
