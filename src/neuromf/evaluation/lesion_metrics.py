"""Metrics of the lesion masks of two sets, and of the images in and around them: how many are
empty, where lesions lie, how intensities are distributed, how similar masks are to real ones.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Literal

import torch
from scipy import ndimage
from torch import Tensor

from neuromf.evaluation.metric import (
    Bootstrap,
    Estimate,
    Metric,
    from_zero,
    unbounded,
    up_to_one,
    weighted_mean,
)
from neuromf.evaluation.nearest_masks import Lesions, NearestMasks, nearest_masks
from neuromf.evaluation.volume_metrics import VolumeComparison
from neuromf.features.lesion import BINS, blocks_of
from neuromf.metrics import intervals
from neuromf.metrics.intervals import Interval

Part = Literal["inside", "around"]
Similarity = Literal["dice", "hausdorff95"]
SMOOTHING = 8.0  # mm, standard deviation by which maps of lesion frequency are smoothed
BY_PLACE = "smoothed by 8 mm; a real set that is small has a rough map: compare at equal numbers"
PARTS: dict[Part, str] = {
    "inside": "intensities inside the lesion",
    "around": "intensities 2 to 6 mm around the lesion",
}
WHERE_THEY_LIE = "masks where they lie in the brain"
ALIGNED = "masks moved by whole voxels, centre of gravity on centre of gravity"


class LesionComparison(VolumeComparison):
    """The lesions of two sets in which every volume has a mask, which may be empty."""

    @property
    def prefix(self) -> str:
        """Of its keys."""
        return "lesions"

    @cached_property
    def masks(self) -> tuple[Lesions, Lesions]:
        """The lesions of the set (N), and of the reference (M)."""
        return self.a.masks, self.r.masks

    @cached_property
    def nearest(self) -> NearestMasks:
        """The most similar masks of the reference, where they lie."""
        return nearest_masks(*self.masks)

    @cached_property
    def nearest_aligned(self) -> NearestMasks:
        """The most similar masks of the reference, aligned."""
        return nearest_masks(*self.masks, aligned=True)

    @cached_property
    def brain(self) -> Tensor:
        """The blocks (d, h, w) of which most is brain, in the reference."""
        blocks = torch.stack([m.brain for m in self.masks[1]]).mean(0)
        return blocks > volume_of_block(self.masks[1]) / 2

    @cached_property
    def maps(self) -> tuple[Tensor, Tensor]:
        """The smoothed share of each block of the brain that is lesion: (N, V), (M, V)."""
        x, y = (smoothed(masks)[:, self.brain] for masks in self.masks)
        return x, y

    @cached_property
    def places(self) -> Tensor:
        """The shares of each lesion of the set in those blocks (N, V), zeros for an empty mask."""
        place = torch.stack([m.place[self.brain] for m in self.masks[0]]).double()
        return place / place.sum(1, keepdim=True).clamp(min=1)

    def histograms(self, part: Part) -> tuple[Tensor, Tensor]:
        """The histograms of intensities of each lesion, or of its shell: (N, BINS), (M, BINS)."""
        x, y = (torch.stack([getattr(m, part) for m in masks]) for masks in self.masks)
        return x, y


def volume_of_block(lesions: Lesions) -> int:
    """Return the number of voxels of a block."""
    return math.prod(blocks_of(lesions[0].spacing))


def smoothed(lesions: Lesions) -> Tensor:
    """Return the share of each block that is lesion (N, d, h, w), smoothed."""
    spacing = lesions[0].spacing
    share = torch.stack([m.place for m in lesions]).double().numpy() / volume_of_block(lesions)
    widths = [SMOOTHING / (b * s) for b, s in zip(blocks_of(spacing), spacing, strict=True)]
    return torch.from_numpy(ndimage.gaussian_filter(share, (0, *widths), mode="constant"))


def share_empty(c: LesionComparison, _: Bootstrap | None) -> float:
    """Return the share of masks without any lesion."""
    return sum(m.empty for m in c.masks[0]) / c.n


def wilson(c: LesionComparison, value: float, _: Tensor) -> Interval:
    """Return Wilson's interval of a share of the set."""
    return intervals.of_share(round(value * c.n), c.n)


def map_correlation(c: LesionComparison, bootstrap: Bootstrap | None) -> Tensor | None:
    """Return Pearson's r of the smoothed maps of lesion frequency, over the brain; None without
    lesions in one of the sets.
    """
    x, y = c.maps
    if not (bool(x.any()) and bool(y.any())):
        return None
    one, other = means(x, bootstrap and bootstrap.a), means(y, bootstrap and bootstrap.r)
    one, other = (m - m.mean(-1, keepdim=True) for m in (one, other))
    return (one * other).sum(-1) / (one.norm(dim=-1) * other.norm(dim=-1))


def frequency(c: LesionComparison, bootstrap: Bootstrap | None) -> Tensor | None:
    """Return how frequent lesions of the reference are where those of the set lie: the smoothed map
    averaged under each lesion, then over lesions. None without lesions in the set.
    """
    there = c.places.any(1)
    if not bool(there.any()):
        return None

    at = c.places[there] @ c.maps[1].T  # of each lesion under the map of each real mask
    if bootstrap is None:
        return at.mean()
    p, q = bootstrap.a[:, there].double(), bootstrap.r.double()
    return ((p @ at) * q).sum(1) / (p.sum(1) * q.sum(1))


def means(values: Tensor, counts: Tensor | None) -> Tensor:
    """Return the mean of values (N, V), or of bootstrap samples (B, V)."""
    if counts is None:
        return values.mean(0)
    return counts.double() @ values / counts.sum(1, keepdim=True).clamp(min=1)


def histogram_distance(part: Part) -> Estimate[LesionComparison]:
    """Return the estimate of the Wasserstein distance of the mean histograms of a part."""

    def estimate(c: LesionComparison, bootstrap: Bootstrap | None) -> Tensor | None:
        x, y = c.histograms(part)
        known_x, known_y = x.any(1), y.any(1)  # no lesion, or no shell, has no intensities
        if not (bool(known_x.any()) and bool(known_y.any())):
            return None
        one = means(x[known_x], None if bootstrap is None else bootstrap.a[:, known_x])
        other = means(y[known_y], None if bootstrap is None else bootstrap.r[:, known_y])
        return (one - other).cumsum(-1).abs().sum(-1) / BINS

    return estimate


def mean_nearest(aligned: bool, field: Similarity) -> Estimate[LesionComparison]:
    """Return the estimate of the mean over lesions of their similarity to the most similar real
    one. The reference is fixed while lesions of the set are resampled.
    """

    def estimate(c: LesionComparison, bootstrap: Bootstrap | None) -> Tensor | None:
        nearest = c.nearest_aligned if aligned else c.nearest
        values = torch.from_numpy(getattr(nearest, field))
        there = torch.isfinite(values)
        if not bool(there.any()):
            return None
        return weighted_mean(values[there], bootstrap and bootstrap.a[:, there])

    return estimate


def of_nearest(
    key: str, label: str, field: Similarity, *, aligned: bool
) -> Metric[LesionComparison]:
    """Return the metric of the similarity to the most similar real mask."""
    return Metric(
        LesionComparison,
        *(key, f"{label}, with the most similar real mask: mean", "real"),
        mean_nearest(aligned, field),
        unit="mm" if field == "hausdorff95" else "",
        interval=up_to_one if field == "dice" else from_zero,
        compared=True,
        note=lambda _: ALIGNED if aligned else WHERE_THEY_LIE,
        printed=True,
    )


LESION_METRICS: tuple[Metric[LesionComparison], ...] = (
    Metric(
        LesionComparison,
        *("empty", "pairs without any lesion", "real", share_empty),
        interval=wilson,
        resampled=False,
        printed=True,
    ),
    Metric(
        LesionComparison,
        *("place.r", "Pearson r of maps of lesion frequency", "higher", map_correlation),
        interval=unbounded,
        compared=True,
        note=lambda _: BY_PLACE,
        printed=True,
    ),
    Metric(
        LesionComparison,
        *("place.frequency", "frequency of real lesions where lesions lie", "real", frequency),
        interval=up_to_one,
        compared=True,
        note=lambda _: BY_PLACE,
    ),
    *(
        Metric(
            LesionComparison,
            *(f"intensity.{part}", label, "lower", histogram_distance(part)),
            interval=from_zero,
            compared=True,
            note=lambda _: "Wasserstein distance of mean histograms of intensities in [0, 1]",
            printed=True,
        )
        for part, label in PARTS.items()
    ),
    of_nearest("dice", "Dice", "dice", aligned=False),
    of_nearest("dice.aligned", "Dice, aligned", "dice", aligned=True),
    of_nearest("hausdorff95", "95 % Hausdorff distance", "hausdorff95", aligned=False),
    of_nearest(
        "hausdorff95.aligned", "95 % Hausdorff distance, aligned", "hausdorff95", aligned=True
    ),
)
