"""The networks level by level: parameters, size of the features, and what backward keeps."""

from __future__ import annotations

from neuromf.nets import BRAIN, SMALL, UNetConfig
from neuromf.report.network import Network, network_of
from neuromf.training.config import TrainConfig
from neuromf.verification.section import Section

SHAPES = {"brain": (BRAIN, (4, 48, 48, 48)), "small": (SMALL, (4, 20, 24, 20))}


def blocks() -> Section:
    """Count the parameters of both networks by level, and what backward keeps of one latent."""
    found = {name: _network(config, shape) for name, (config, shape) in SHAPES.items()}
    rows = []
    for name, network in found.items():
        for part in network.parts:
            size = " × ".join(map(str, (part.channels, *part.size))) if part.size else "–"
            kept = f"{part.kept / 1e6:.1f}"
            rows.append([name, part.name, f"{part.parameters:,}", size, kept])
        rows.append([name, "all", f"{network.parameters:,}", "", f"{network.kept / 1e6:.1f}"])

    totals = {name: network.parameters for name, network in found.items()}
    return Section(
        "blocks",
        "The network",
        f"The network of the presets of 1 mm, {totals['brain'] / 1e6:.1f} million parameters, and "
        f"the small one with its defaults, {totals['small'] / 1e6:.1f} million, in float32 without "
        "checkpointing: what backward keeps of one latent, in MB.",
        {f"parameters_{name}": float(total) for name, total in totals.items()},
        head=("network", "part", "parameters", "features", "kept, MB"),
        rows=rows,
    )


def _network(config: UNetConfig, shape: tuple[int, ...]) -> Network:
    return network_of(TrainConfig(network=config, batch=1, precision="float32"), shape)
