"""Statistics of latents, over the training split alone, one latent at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from neuromf.data.splits import person
from neuromf.latents.shard import StoreError, read_file
from neuromf.latents.store import LatentStore
from neuromf.runtime.files import write_json
from neuromf.runtime.records import RecordError, parse_record

STATS = "stats.json"
COMPONENTS = 50  # of the PCA spectrum
MOST = 1000  # latents at most for the PCA spectrum, which needs all their pairs
ELEMENTS = 2**28  # numbers at most, since those latents are held in memory at once


@dataclass(frozen=True)
class LatentStats:
    """Moments of each channel, correlation of the channels, and PCA spectrum of a training split.

    Training uses (z - mean) / std; generation undoes it.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    skewness: tuple[float, ...]
    kurtosis: tuple[float, ...]  # excess: 0 for a Gaussian
    correlation: tuple[tuple[float, ...], ...]
    shape: tuple[int, ...]  # of a latent, (C, D, H, W)
    latents: int
    subjects: int
    pca_variance: tuple[float, ...] = ()  # share of the variance of each component, largest first

    def __post_init__(self) -> None:
        rows = (
            self.mean,
            self.std,
            self.skewness,
            self.kurtosis,
            self.correlation,
            *self.correlation,
        )
        if (
            len(self.shape) != 4
            or min(self.shape) < 1
            or any(len(row) != self.shape[0] for row in rows)
        ):
            raise ValueError(
                f"statistics of {len(self.mean)} channels for latents of shape {list(self.shape)}"
            )
        if not all(map(math.isfinite, (*self.mean, *self.std))) or min(self.std) <= 0:
            raise ValueError(f"mean {self.mean}, std {self.std}: finite numbers, std above 0")
        if self.latents < 1 or self.subjects < 1:
            raise ValueError(
                f"statistics of {self.latents} latents, {self.subjects} subjects: 1 or more"
            )

    def normalise(self, z: Tensor) -> Tensor:
        """Return latents (..., C, D, H, W) with mean 0 and standard deviation 1 per channel over
        the training split.
        """
        return (z - self._column(self.mean, z)) / self._column(self.std, z)

    def denormalise(self, z: Tensor) -> Tensor:
        """Return the inverse of `normalise`."""
        return z * self._column(self.std, z) + self._column(self.mean, z)

    def save(self, folder: Path) -> None:
        """Write stats.json."""
        write_json(folder / STATS, asdict(self))

    @classmethod
    def load(cls, location: str | Path) -> LatentStats:
        """Read stats.json of a store. Raises StoreError if there is none."""
        where = f"{str(location).rstrip('/')}/{STATS}"
        try:
            return parse_record(
                read_file(where), cls, where, "run `neuromf encode` again with --resume"
            )
        except FileNotFoundError:
            raise StoreError(
                f"{location} holds no {STATS}: run `neuromf encode` again with --resume"
            ) from None
        except RecordError as error:
            raise StoreError(str(error)) from None

    def _column(self, values: Sequence[float], like: Tensor) -> Tensor:
        if like.shape[-4] != len(values):
            raise StoreError(
                f"latents have {like.shape[-4]} channels, the statistics "
                f"{len(values)}: they are of another VAE"
            )
        return like.new_tensor(values).view(-1, 1, 1, 1)


def latent_statistics(store: LatentStore, split: str = "train") -> LatentStats:
    """Return the statistics of a split. Raises StoreError if it is empty or a
    channel is constant.
    """
    indices = store.split(split)
    if not indices:
        raise StoreError(
            f"{store.location} has no latent in the split "
            f"{split!r}: statistics need training subjects"
        )

    moments = Moments(store.shape[0])

    for index in indices:
        latent = store[index]
        if not torch.isfinite(latent).all():
            raise StoreError(
                f"latent {store.entries[index].name} of "
                f"{store.location} holds NaN or Inf: encode it again"
            )
        moments.add(latent)

    mean, std, skewness, kurtosis, correlation = moments.result()
    if float(std.min()) <= 0:
        raise StoreError(
            f"channel {int(std.argmin())} of the latents is constant: is the VAE trained?"
        )

    most = min(len(indices), MOST, max(ELEMENTS // math.prod(store.shape), 2))
    even = [indices[i * len(indices) // most] for i in range(most)]
    spectrum = (
        pca_spectrum((store[i] for i in even), LatentScale(mean, std))
        if len(even) > 1
        else torch.zeros(0)
    )
    return LatentStats(
        _numbers(mean),
        _numbers(std),
        _numbers(skewness),
        _numbers(kurtosis),
        tuple(_numbers(row) for row in correlation),
        store.shape,
        len(indices),
        len({person(store.entries[i].parent or store.entries[i].subject) for i in indices}),
        _numbers(spectrum[:COMPONENTS]),
    )


class Moments:
    """Central moments up to the fourth and the covariance of channels, summed in float64 about
    merged means (Pébay 2008).
    """

    def __init__(self, channels: int) -> None:
        self.count = 0.0
        self.mean = torch.zeros(channels, dtype=torch.float64)
        self.products = torch.zeros(channels, channels, dtype=torch.float64)
        self.third = torch.zeros(channels, dtype=torch.float64)
        self.fourth = torch.zeros(channels, dtype=torch.float64)

    def add(self, latent: Tensor) -> None:
        """Take in a latent (C, D, H, W)."""
        values = latent.double().flatten(1)
        n, m = self.count, float(values.shape[1])  # floats: their powers outgrow 64-bit integers
        mean = values.mean(1)
        centred = values - mean[:, None]
        products, third, fourth = centred @ centred.T, (centred**3).sum(1), (centred**4).sum(1)
        gap, total = mean - self.mean, n + m

        second_a, second_b = self.products.diagonal(), products.diagonal()
        self.fourth = (
            self.fourth
            + fourth
            + gap**4 * n * m * (n * n - n * m + m * m) / total**3
            + 6 * gap**2 * (n * n * second_b + m * m * second_a) / total**2
            + 4 * gap * (n * third - m * self.third) / total
        )
        self.third = (
            self.third
            + third
            + gap**3 * n * m * (n - m) / total**2
            + 3 * gap * (n * second_b - m * second_a) / total
        )
        self.products = self.products + products + torch.outer(gap, gap) * n * m / total
        self.mean = self.mean + gap * m / total
        self.count = total

    def result(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return mean, standard deviation, skewness, excess kurtosis (C,) and correlation (C, C),
        of the population.
        """
        variance = self.products.diagonal() / self.count
        std = variance.sqrt()
        skewness = self.third / self.count / std**3
        kurtosis = self.fourth / self.count / variance**2 - 3
        correlation = self.products / self.count / torch.outer(std, std)
        return self.mean, std, skewness, kurtosis, correlation


@dataclass(frozen=True)
class LatentScale:
    """Mean and standard deviation per channel."""

    mean: Tensor
    std: Tensor


def pca_spectrum(latents: Iterable[Tensor], scale: LatentScale) -> Tensor:
    """Return the shares of variance of the principal components of normalised
    latents, largest first.

    They come from the Gram matrix of all pairs, so no covariance of voxels is formed; n latents
    give n - 1 components.
    """
    rows = torch.stack(
        [
            ((z - scale.mean.view(-1, 1, 1, 1)) / scale.std.view(-1, 1, 1, 1)).float().flatten()
            for z in latents
        ]
    )
    rows -= rows.mean(0)
    gram = (rows @ rows.T).double()
    values = torch.linalg.eigvalsh(gram).flip(0).clamp(min=0)[: len(rows) - 1]
    return values / values.sum().clamp(min=1e-30)


def _numbers(values: Tensor) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


def channel_table(stats: LatentStats) -> str:
    """Return the statistics of each channel as lines of text."""
    rows = [f"{'channel':>8} {'mean':>9} {'std':>9} {'skewness':>9} {'kurtosis':>9}"]
    for c, values in enumerate(
        zip(stats.mean, stats.std, stats.skewness, stats.kurtosis, strict=True)
    ):
        rows.append(f"{c:>8} " + " ".join(f"{v:9.4f}" for v in values))
    return "\n".join(rows)
