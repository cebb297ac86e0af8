"""The derivative du/dt against a central difference, over networks and times at random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from neuromf.flow.jvp import exact_jvp, finite_jvp
from neuromf.nets import SMALL, DualTimeUNet
from neuromf.reporting import plots
from neuromf.training.preflight import with_random_weights
from neuromf.verification.section import Section

NETWORKS = 8
CASES = 8  # noises, tangents and pairs of times each
SIZE = (4, 8, 8, 8)
STEP = 1e-5  # of the central difference in float64
TINY = replace(
    SMALL,
    channels=(16, 32),
    attention=(False, True),
    attention_head_channels=(0, 16),
    norm_groups=4,
)  # every kind of layer


def derivatives() -> Section:
    """Compare exact derivatives in float64 and float32 with central differences in float64."""
    errors: dict[str, list[float]] = {"float64": [], "float32": []}
    for number in range(NETWORKS):
        torch.manual_seed(number)
        network = with_random_weights(DualTimeUNet(TINY)).double()
        single = with_random_weights(DualTimeUNet(TINY))
        single.load_state_dict(network.state_dict())
        generator = torch.Generator().manual_seed(number)

        for _ in range(CASES):
            z, tangent = torch.randn(2, 1, *SIZE, generator=generator, dtype=torch.float64)
            later, earlier = torch.rand(2, 1, generator=generator, dtype=torch.float64)
            t, r = torch.maximum(later, earlier), torch.minimum(later, earlier)
            t = t.clamp(0.05, 0.95)  # the difference looks to both sides of t
            r = torch.minimum(t, r)
            expected = finite_jvp(network, z, t, r, tangent, step=STEP)
            errors["float64"].append(_error(exact_jvp(network, z, t, r, tangent), expected))
            found = exact_jvp(single, z.float(), t.float(), r.float(), tangent.float())
            errors["float32"].append(_error(found, expected))

    return Section(
        "derivatives",
        "The derivative against a central difference",
        f"{NETWORKS} networks with random weights, {CASES} noises and pairs of times each, latents "
        f"of {' × '.join(map(str, SIZE))}. Relative error of the exact derivative, against a "
        f"central difference in float64: at most {max(errors['float64']):.2g} in float64 and "
        f"{max(errors['float32']):.2g} in float32.",
        {f"derivative_{name}": max(found) for name, found in errors.items()},
        _histogram(errors),
    )


def _error(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected).norm() / expected.norm())


def _histogram(errors: dict[str, list[float]]) -> Figure:
    with plots.subplots(size=(5, 2.6)) as (figure, axes):
        bins = np.geomspace(1e-11, 1e-1, 41)
        for (name, found), limit, colour in zip(
            errors.items(), (1e-6, 1e-2), plots.COLOURS, strict=False
        ):
            axes.hist(np.clip(found, bins[0], bins[-1]), bins, color=colour, alpha=0.8, label=name)
            axes.axvline(limit, color=colour, linestyle="--", linewidth=1)
        axes.set_xscale("log")
        axes.set_xlabel("relative error (dashed: what is allowed)")
        axes.set_ylabel("derivatives")
        axes.legend()
    return figure
