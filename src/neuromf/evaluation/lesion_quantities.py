"""Distributions of what is measured of lesions: volume, number, shape, contrast, side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuromf.evaluation.metric import Bootstrap, Metric, from_zero
from neuromf.evaluation.region_metrics import resampled_wasserstein
from neuromf.evaluation.volume_metrics import VolumeComparison


class Quantity(NamedTuple):
    """A number that every lesion has."""

    key: str  # as in features.lesion.NUMBERS
    label: str
    unit: str = ""


QUANTITIES = (
    Quantity("ml", "lesion volume", "ml"),
    Quantity("components", "number of lesions"),
    Quantity("sphericity", "sphericity of the largest lesion"),
    Quantity("elongation", "elongation of the largest lesion"),
    Quantity("contrast", "intensity of the lesion over that of its surroundings"),
    Quantity("left", "share of the lesion in the left half"),
)


@dataclass(eq=False)
class QuantityComparison(VolumeComparison):
    """One quantity of the lesions of two sets that have masks; NaN for empty masks."""

    quantity: Quantity = field(kw_only=True)

    @property
    def prefix(self) -> str:
        """Of its keys."""
        return f"lesions/{self.quantity.key}"

    @property
    def words(self) -> Mapping[str, str]:
        """The quantity and its unit."""
        unit = f", {self.quantity.unit}" if self.quantity.unit else ""
        return {"quantity": self.quantity.label, "unit": unit}

    @cached_property
    def values(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of the set (N,) and of the reference (M,)."""
        key = self.quantity.key
        x, y = (
            np.array([np.nan if m.empty else m.numbers[key] for m in s.masks])
            for s in (self.a, self.r)
        )
        return x, y


def mean(c: QuantityComparison, bootstrap: Bootstrap | None) -> Tensor | float | None:
    """Return the mean over the lesions of the set."""
    total, _, n = sums(c, bootstrap)
    return total / n if bool((n > 0).any()) else None


def deviation(c: QuantityComparison, bootstrap: Bootstrap | None) -> Tensor | float | None:
    """Return the standard deviation over the lesions of the set, None for fewer than two."""
    total, squares, n = sums(c, bootstrap)
    if not bool((n > 1).any()):
        return None
    return ((squares - total**2 / n).clamp(min=0) / (n - 1)).sqrt()


def sums(c: QuantityComparison, bootstrap: Bootstrap | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return sum, sum of squares and number of the known values: of the data, or (B,) of bootstrap
    samples.
    """
    x = torch.from_numpy(c.values[0])
    there = torch.isfinite(x)
    counts = torch.ones(1, len(x)).double() if bootstrap is None else bootstrap.a.double()
    known, weights = x[there], counts[:, there]
    found = (weights @ known, weights @ known.square(), weights.sum(1))
    total, squares, n = (f[0] if bootstrap is None else f for f in found)
    return total, squares, n


def distance(c: QuantityComparison, bootstrap: Bootstrap | None) -> Tensor | float | None:
    """Return the Wasserstein distance of the distributions, in the quantity's unit."""
    return resampled_wasserstein(*c.values, bootstrap)


EACH = "of volumes with a lesion"

QUANTITY_METRICS: tuple[Metric[QuantityComparison], ...] = (
    Metric(
        QuantityComparison,
        *("mean", "{quantity}: mean{unit}", "real", mean),
        interval=from_zero,
        note=lambda _: EACH,
    ),
    Metric(
        QuantityComparison,
        *("sd", "{quantity}: standard deviation{unit}", "real", deviation),
        fewest=2,
        interval=from_zero,
        note=lambda _: EACH,
    ),
    Metric(
        QuantityComparison,
        *("wasserstein", "{quantity}: Wasserstein{unit}", "lower", distance),
        interval=from_zero,
        compared=True,
        note=lambda _: EACH,
        printed=True,
    ),
)
