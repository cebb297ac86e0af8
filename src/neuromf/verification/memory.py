"""The memory of a training step by the size of its latents, and the batches that fit."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure

from neuromf.nets import DualTimeUNet
from neuromf.reporting import plots
from neuromf.runtime.config import load
from neuromf.training.config import TrainConfig
from neuromf.training.sizing import HEADROOM, Sizing
from neuromf.verification.section import Section

SIZES = (16, 24, 32, 48, 64)  # voxels a side
CARDS = (24, 40, 80, 141)  # GB: consumer cards, A100, H100, H200


def memory() -> Section:
    """Estimate a step of the preset brain192 as the preflight of a training does."""
    config = load(TrainConfig, ["preset=brain192"], "train")
    with torch.device("meta"):
        parameters = sum(p.numel() for p in DualTimeUNet(config.network).parameters())
    rows, fixed, each = [], 0.0, {}
    checkpointing = config.network.checkpointing
    for size in SIZES:
        step = Sizing.of(parameters, config, (4, size, size, size), checkpointing=checkpointing)
        fixed, each[size] = step.fixed_gb, step.each_gb
        fits = [step.largest(card) for card in CARDS]
        rows.append(
            [f"{size}³", f"{step.needs(1):.1f} GB", *(str(n) if n else "none" for n in fits)]
        )

    return Section(
        "memory",
        "Memory of a step",
        f"An estimate for the preset brain192 ({parameters:,} parameters, {config.precision}, "
        f"network.checkpointing={str(config.network.checkpointing).lower()}): {fixed:.1f} GB for "
        "weights, gradients, optimiser and averages, and for each sample what backward keeps and "
        "what a step needs in passing. Largest batch by the memory of the card, of which "
        f"{HEADROOM:.0%} is taken.",
        {f"memory_{size}": fixed + more for size, more in each.items()},
        _chart(fixed, each),
        ("latent", "batch 1", *(f"{card} GB" for card in CARDS)),
        rows,
    )


def _chart(fixed: float, each: dict[int, float]) -> Figure:
    with plots.subplots(size=(5, 2.6)) as (figure, axes):
        names = [f"{size}³" for size in each]
        axes.bar(names, [fixed] * len(each), color=plots.BLUE, label="weights and their states")
        axes.bar(
            names, list(each.values()), bottom=fixed, color=plots.VERMILION, label="one sample"
        )
        axes.set_ylabel("GB, batch 1")
        axes.set_xlabel("latent, voxels")
        axes.legend()
    return figure
