"""The loss for several exponents against the sum written out, and its parts by interval."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from neuromf.flow.network import Condition
from neuromf.flow.objective import MeanFlow
from neuromf.verification.section import Section

EXPONENTS = (1.0, 1.5, 2.0, 3.0)
WEIGHTS = (0.5, 2.0, 3.0, 1.0)  # λ_c
SIZE = (6, 4, 5, 5, 5)  # samples, channels, voxels


def exponents() -> Section:
    """Compare Σ_c λ_c mean|e_c|^p of a known error with the objective's, for each exponent."""
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.randn(2, *SIZE, generator=generator, dtype=torch.float64)
    t = torch.linspace(0.3, 0.9, len(x), dtype=torch.float64)
    r = torch.where(torch.arange(len(x)) % 2 == 0, t, t / 3)  # half of the samples at r = t

    rows, worst = [], 0.0
    for p in EXPONENTS:
        objective = MeanFlow(predict="u", jvp="none", p=p, channel_weights=WEIGHTS, weight_power=0)
        terms = objective.terms(_zeros, x, noise, t, t)
        terms = terms._replace(t=t, r=r)
        loss = objective.loss(terms)

        error = np.abs((noise - x).numpy())  # a network of zeros misses the whole velocity
        samples = (error**p).mean((2, 3, 4)) @ np.array(WEIGHTS)
        equal = (r == t).numpy()
        wanted = (samples.mean(), samples[equal].mean(), samples[~equal].mean())
        found = (float(loss.raw), float(loss.raw_equal), float(loss.raw_interval))
        worst = max(worst, *(abs(float(a / b) - 1) for a, b in zip(found, wanted, strict=True)))
        rows.append(
            [f"{p:g}", *(f"{a:.6f}" for pair in zip(wanted, found, strict=True) for a in pair)]
        )

    return Section(
        "exponents",
        "The loss by exponent",
        f"Σ λ_c mean|e_c|^p with λ = {WEIGHTS} of a known error, and its parts with r = t and "
        f"r < t: expected (numpy) and computed. They differ by {worst:.1g} at most, relatively.",
        {"exponent_error": worst},
        head=("p", "all, expected", "computed", "r = t, expected", "computed", "r < t, expected",
              "computed"),
        rows=rows,
    )  # fmt: skip


def _zeros(z: Tensor, _t: Tensor, _r: Tensor, /, *_condition: Condition) -> Tensor:
    """Return 0: a network that misses the whole velocity."""
    return torch.zeros_like(z)
