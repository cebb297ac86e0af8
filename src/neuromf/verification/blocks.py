"""The network by its parts: parameters of each, and of its kinds of layers."""

from __future__ import annotations

from collections import Counter

import torch

from neuromf.nets import BRAIN, SMALL, DualTimeUNet
from neuromf.verification.section import Section


def blocks() -> Section:
    """Count the parameters of both networks by block."""
    found: dict[str, Counter[str]] = {}
    for name, config in (("brain", BRAIN), ("small", SMALL)):
        with torch.device("meta"):
            network = DualTimeUNet(config)
        found[name] = Counter()
        for path, parameter in network.named_parameters():
            found[name][_block(path)] += parameter.numel()

    parts = sorted({part for counts in found.values() for part in counts})
    totals = {name: sum(counts.values()) for name, counts in found.items()}
    rows = [
        [part, *(f"{counts[part]:,}" if counts[part] else "–" for counts in found.values())]
        for part in parts
    ]
    rows.append(["all", *(f"{total:,}" for total in totals.values())])
    return Section(
        "blocks",
        "The network",
        f"Parameters by block: the network of the presets of 1 mm ({totals['brain'] / 1e6:.1f} "
        f"million) and of 2 mm with its defaults ({totals['small'] / 1e6:.1f} million).",
        {f"parameters_{name}": float(total) for name, total in totals.items()},
        head=("block", *found),
        rows=rows,
    )


def _block(path: str) -> str:
    """Return the name of a block: the module inside the UNet, with its level where it has one."""
    first, *rest = path.removeprefix("body.").split(".")
    return f"{first}.{rest[0]}" if first.endswith("_blocks") else first
