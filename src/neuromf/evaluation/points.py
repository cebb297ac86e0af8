"""A set as one feature network sees it: many points a volume, or one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from neuromf.features.extract import Features
from neuromf.features.measure import Measure
from neuromf.metrics.frechet import Gaussian, fit_gaussian

COMPONENTS = 64  # directions in which a Fréchet distance is resampled
BASIS_OF = 512  # points of each set that those directions are found from
MOST = 2000  # volumes of a set that are compared pair by pair
TOGETHER = 32  # volumes whose features are summed up at once


class Extractor(NamedTuple):
    """A feature network, and the name by which it was asked for."""

    name: str
    measure: Measure


class Points:
    """A set as one extractor sees it, without its volumes."""

    def __init__(
        self, features: Features, extractor: Extractor, embedding: Tensor | None = None
    ) -> None:
        self.features, self.extractor = features, extractor
        self._embedding = embedding  # if it is known already

    def __len__(self) -> int:
        return len(self.features)

    @property
    def keys(self) -> tuple[str, ...]:
        """The planes of a 2.5D extractor, `volume` of a 3D one."""
        return self.extractor.measure.keys

    def only(self, indices: Sequence[int]) -> Points:
        """Return the same of some of the volumes."""
        # the embedding is in memory, the slices are not
        embedding = self.embedding[list(indices)]
        return Points(self.features.only(indices), self.extractor, embedding)

    def each(self, key: str) -> Iterator[Tensor]:
        """Yield the points (n, C) of a plane, one volume at a time."""
        return self.features.each(self.extractor.measure, key)

    def parts(self, key: str) -> Iterator[Tensor]:
        """Yield the points (n, C) of a plane, slices of a few volumes at a time."""
        kept: list[Tensor] = []
        for values in self.each(key):
            kept.append(values)
            if len(kept) == TOGETHER:
                yield torch.cat(kept)
                kept = []

        if kept:
            yield torch.cat(kept)

    @cached_property
    def embedding(self) -> Tensor:
        """One point a volume (N, C): the means over its slices, planes side by side."""
        if self._embedding is not None:
            return self._embedding

        columns = [torch.stack([v.mean(0) for v in self.each(key)]) for key in self.keys]
        return torch.cat(columns, 1)

    @property
    def some(self) -> Tensor:
        """The embeddings of no more than MOST volumes, evenly spaced."""
        return self.embedding[even(len(self), MOST)]

    @cached_property
    def gaussians(self) -> dict[str, Gaussian]:
        """The Gaussian of each plane's points."""
        return {key: fit_gaussian(self.parts(key)) for key in self.keys}


def even(n: int, most: int) -> Tensor:
    """Return up to `most` indices of n, evenly spaced."""
    return torch.arange(n) if n <= most else torch.linspace(0, n - 1, most).round().long()


def principal(sets: Sequence[Points], key: str) -> tuple[Tensor, Tensor]:
    """Return the mean (C,) and the leading principal directions (C, COMPONENTS) of
    points from all sets, an equal number from each.
    """
    parts = []
    for points in sets:
        slices = len(next(points.each(key)))
        chosen = even(len(points), -(-BASIS_OF // slices)).tolist()
        # without an embedding, which is not needed here
        part = Points(points.features.only(chosen), points.extractor)
        values = torch.cat(list(part.each(key))).double()
        parts.append(values[even(len(values), BASIS_OF)])

    stacked = torch.cat(parts)
    middle = stacked.mean(0)
    _, vectors = torch.linalg.eigh((stacked - middle).T @ (stacked - middle))
    return middle, vectors[:, -COMPONENTS:]


def moments(points: Points, key: str, basis: tuple[Tensor, Tensor], counts: Tensor) -> list[Tensor]:
    """Return means (B, K) and covariances (B, K, K) of the points of bootstrap samples of whole
    volumes, `counts` (B, N), along the directions of `basis`.
    """
    middle, directions = basis
    slices, sums, squares = [], [], []
    for values in points.each(key):
        y = (values.double() - middle) @ directions
        slices.append(len(y))
        sums.append(y.sum(0))
        squares.append(y.T @ y)

    number = counts @ torch.tensor(slices, dtype=torch.float64)
    mean = counts @ torch.stack(sums) / number[:, None]
    second = torch.einsum("bn,nij->bij", counts, torch.stack(squares))
    outer = torch.einsum("bi,bj->bij", mean, mean) * number[:, None, None]
    return [mean, (second - outer) / (number - 1).clamp(min=1)[:, None, None]]
