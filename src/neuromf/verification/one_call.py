"""Many one-call samples as latents: their statistics beside those of the training latents."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure

from neuromf.generation.generator import Generator
from neuromf.generation.model import load_model
from neuromf.reporting import plots
from neuromf.verification.section import Section

SAMPLES = 500


def one_call(model: str, samples: int = SAMPLES) -> Section:
    """Draw samples 0, 1, ... of seed 0 with one call and measure them by channel, normalised by the
    statistics of the training latents: those have mean 0 and standard deviation 1.
    """
    generator = Generator(load_model(model), device="cpu")
    drawn = torch.cat([generator.latent(index) for index in range(samples)])
    drawn = generator.config.stats.normalise(drawn)
    mean, std = drawn.mean(dim=(0, 2, 3, 4)), drawn.std(dim=(0, 2, 3, 4))
    name = generator.config.name
    return Section(
        "one-call",
        "Samples of one call",
        f"{samples} samples of {name} with one call, normalised by the statistics of its training "
        "latents, whose means are 0 and standard deviations 1.",
        {
            "samples": float(samples),
            "samples_not_finite": float((~torch.isfinite(drawn)).flatten(1).any(1).sum()),
            "sample_mean": float(mean.abs().max()),
            "sample_std_low": float(std.min()),
            "sample_std_high": float(std.max()),
        },
        _histogram(drawn),
        ("", *(f"channel {c}" for c in range(len(mean)))),
        [["mean", *(f"{m:.4f}" for m in mean)], ["standard deviation", *(f"{s:.4f}" for s in std)]],
    )


def _histogram(drawn: torch.Tensor) -> Figure:
    with plots.subplots(size=(5, 2.6)) as (figure, axes):
        for channel, colour in enumerate(plots.colours(drawn.shape[1])):
            axes.hist(drawn[:, channel].flatten().numpy(), 81, range=(-5, 5), density=True,
                      histtype="step", color=colour, label=f"channel {channel}")  # fmt: skip
        axes.set_xlabel("normalised output of one call")
        axes.set_ylabel("density")
        axes.legend()
    return figure
