"""What a training step of an adapted network costs beside one that trains every weight.

`python benchmarks/adapt.py small2mm|brain [--device cuda] [--rounds N] [--out FILE.json]`. The
network is grown from 4 to 8 channels (image and lesion mask); a step is forward and backward of the
two-stream objective with half of the samples at r = t, and AdamW's. All variants run in turn within
one process; peak memory, of network, gradients, AdamW and step together, is read in one fresh
process each.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from machine import CPU, add_device, hardware, peak_bytes, step_seconds, use_device
from neuromf.flow import MeanFlow
from neuromf.nets import BRAIN, DualTimeUNet, UNetConfig
from neuromf.nets.adapt import adapt
from neuromf.nets.config import LoRA
from neuromf.nets.lora import trained
from neuromf.runtime.files import write_json

FULL = "every weight"
VARIANTS = {
    FULL: LoRA(rank=0),
    "LoRA 16, attention": LoRA(rank=16, targets="attention"),
    "LoRA 4, convolutions": LoRA(rank=4, targets="convolutions"),
    "LoRA 4, both": LoRA(rank=4, targets="both"),
}
SMALL2MM = UNetConfig(
    channels=(16, 64, 96), attention=(False, False, True), attention_head_channels=(0, 0, 32),
    res_blocks=1, norm_groups=4,
)  # fmt: skip
SIZES = {"small2mm": (SMALL2MM, 4, (20, 24, 20)), "brain": (BRAIN, 1, (24, 24, 24))}


def step_of(size: str, variant: str, device: torch.device) -> Callable[[], None]:
    """Return a training step of a network that is built here."""
    config, batch, side = SIZES[size]
    torch.manual_seed(0)
    network = DualTimeUNet(config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    adapt(network, VARIANTS[variant], 4, None, embedding=False)
    network.to(device)
    optimiser = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], 1e-4)

    x, noise = torch.randn(2, batch, 8, *side).to(device)
    t = torch.linspace(0.5, 0.9, batch).to(device)
    r = torch.where(torch.arange(batch, device=device) < batch // 2, t, 0.3 * t)
    objective = MeanFlow(predict="u", jvp="two-stream")

    def step() -> None:
        optimiser.zero_grad()
        objective.loss(objective.terms(network, x, noise, t, r)).total.backward()
        optimiser.step()

    return step


def parameters(size: str, variant: str) -> tuple[int, int]:
    """Return how many parameters are trained, and how many there are."""
    with torch.device("meta"):
        network = DualTimeUNet(SIZES[size][0])
        adapt(network, VARIANTS[variant], 4, None, embedding=False)
    return trained(network)


def peak(size: str, variant: str, device: torch.device = CPU) -> int:
    """Return the memory that building a network and two steps take, in bytes."""

    def work() -> None:
        step = step_of(size, variant, device)
        step()
        step()

    import neuromf.nets.lora as _  # noqa: F401 - not counted

    step_of("small2mm", FULL, device)  # what a first network imports is not counted either
    return peak_bytes(work, device)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    add_device(parser)
    parser.add_argument("--peak", metavar="VARIANT", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    device = use_device(chosen.device)
    if chosen.peak:
        print(peak(chosen.size, chosen.peak, device))
        return

    steps = {name: step_of(chosen.size, name, device) for name in VARIANTS}
    seconds: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for number in range(chosen.rounds + 1):
        for name, step in steps.items():
            spent = step_seconds(step, device)
            if number:  # the first one warms up
                seconds[name].append(spent)

    rows: dict[str, Any] = {}
    for name in VARIANTS:
        own = [sys.executable, __file__, chosen.size, "--peak", name, "--device", chosen.device]
        found = subprocess.run(own, capture_output=True, text=True, check=True).stdout
        few, every = parameters(chosen.size, name)
        rows[name] = {
            "trained": few, "parameters": every, "median_s": statistics.median(seconds[name]),
            "peak_bytes": int(found.splitlines()[-1]),
        }  # fmt: skip

    base = rows[FULL]
    heads = (
        ("trained", 12),
        ("share", 7),
        ("s a step", 9),
        ("of full", 8),
        ("GB", 6),
        ("of full", 8),
    )
    print(" " * 22, *(f"{head:>{width}}" for head, width in heads))
    for name, row in rows.items():
        print(
            f"{name:>22} {row['trained']:12,} {row['trained'] / row['parameters']:7.2%} "
            f"{row['median_s']:9.3f} {row['median_s'] / base['median_s']:8.2f} "
            f"{row['peak_bytes'] / 1e9:6.2f} {row['peak_bytes'] / base['peak_bytes']:8.2f}"
        )
    if chosen.out:
        result = {"size": chosen.size, "rounds": chosen.rounds, "hardware": hardware(device)}
        write_json(chosen.out, result | {"variants": rows})


if __name__ == "__main__":
    main()
