"""Metrics of two sets of volumes that need no feature network: detail and latents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from torch import Tensor

from neuromf.evaluation.feature_metrics import resampled_sliced
from neuromf.evaluation.measured import MeasuredSet
from neuromf.evaluation.metric import Bootstrap, Metric, from_zero, weighted_mean
from neuromf.evaluation.score import References
from neuromf.features.measure import Measure
from neuromf.features.plain import SPECTRUM


@dataclass(eq=False)
class VolumeComparison:
    """Set a beside reference r, by what was measured of each volume."""

    a: MeasuredSet
    r: MeasuredSet
    bootstrap: Bootstrap | None = None
    references: Mapping[str, References] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """Of its keys."""
        raise NotImplementedError

    @property
    def words(self) -> Mapping[str, str]:
        """None are needed."""
        return {}

    @property
    def n(self) -> int:
        """Volumes of the set."""
        return len(self.a)

    @property
    def reference(self) -> int:
        """Volumes of the reference."""
        return len(self.r)


class DetailComparison(VolumeComparison):
    """Power spectra."""

    @property
    def prefix(self) -> str:
        """Of its keys."""
        return "spectrum"

    @cached_property
    def high(self) -> tuple[Tensor, Tensor]:
        """Energy above half of the Nyquist frequency, of each volume (N,), (M,)."""
        x, y = (s.features.stacked(SPECTRUM, "high")[:, 0].double() for s in (self.a, self.r))
        return x, y


def high_frequencies(c: DetailComparison, bootstrap: Bootstrap | None) -> Tensor:
    """Return the mean energy of high frequencies over that of the reference."""
    x, y = c.high
    counts_a, counts_r = bootstrap or (None, None)
    return weighted_mean(x, counts_a) / weighted_mean(y, counts_r)


@dataclass(eq=False)
class LatentComparison(VolumeComparison):
    """Latents of one VAE."""

    measure: Measure = field(kw_only=True)

    @property
    def prefix(self) -> str:
        """Of its keys."""
        return "latents"

    @cached_property
    def projections(self) -> tuple[Tensor, Tensor]:
        """Both sets along the same directions (N, K), (M, K)."""
        x, y = (s.features.stacked(self.measure, "directions") for s in (self.a, self.r))
        return x, y

    @cached_property
    def moments(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Mean and standard deviation (C,) of the channels, of the set and of the reference."""
        return (
            *channel_moments(self.a, self.measure),
            *channel_moments(self.r, self.measure),
        )


def channel_moments(s: MeasuredSet, latents: Measure) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation (C,) of the latents' channels over voxels and volumes."""
    means = s.features.stacked(latents, "mean").double()
    stds = s.features.stacked(latents, "std").double()
    mean = means.mean(0)
    return mean, ((stds**2 + means**2).mean(0) - mean**2).sqrt()


def latent_distance(c: LatentComparison, bootstrap: Bootstrap | None) -> Tensor:
    """Return the sliced Wasserstein distance of latents."""
    return resampled_sliced(*c.projections, *(bootstrap or (None, None)))


def shift(c: LatentComparison, _: Bootstrap | None) -> Tensor:
    """Return the largest shift of a channel's mean, in real standard deviations."""
    mean, _std, real_mean, real_std = c.moments
    return ((mean - real_mean) / real_std).abs().max()


def spread(c: LatentComparison, _: Bootstrap | None) -> Tensor:
    """Return the ratio of a channel's standard deviations that is farthest from 1."""
    _mean, std, _real_mean, real_std = c.moments
    ratio = std / real_std
    return ratio[(ratio.log().abs()).argmax()]


def volume_comparisons(
    a: MeasuredSet,
    r: MeasuredSet,
    latents: Measure | None,
    bootstrap: Bootstrap | None = None,
    references: Mapping[str, References] | None = None,
) -> list[VolumeComparison]:
    """Return what is compared of set a and reference r: detail, and latents if there is a VAE."""
    beside = references or {}
    compared: list[VolumeComparison] = [DetailComparison(a, r, bootstrap, beside)]
    if latents is not None:
        compared.append(LatentComparison(a, r, bootstrap, beside, measure=latents))
    return compared


VOLUME_METRICS: tuple[Metric[DetailComparison] | Metric[LatentComparison], ...] = (
    Metric(
        DetailComparison,
        *("high", "high-frequency energy over that of real volumes", "real", high_frequencies),
        interval=from_zero,
        compared=True,
    ),
    Metric(
        LatentComparison,
        *("swd", "sliced Wasserstein of latents", "lower", latent_distance),
        interval=from_zero,
        compared=True,
    ),
    Metric(
        LatentComparison,
        *("shift", "largest shift of a channel's mean, in its deviations", "lower", shift),
    ),
    Metric(
        LatentComparison,
        *("spread", "channel deviation over the real one, the farthest from 1", "real", spread),
    ),
)
