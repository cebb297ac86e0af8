"""Two sets in the features of one extractor, and what their metrics share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from torch import Tensor

from neuromf.evaluation.metric import Bootstrap
from neuromf.evaluation.points import MOST, Points, even, moments, principal
from neuromf.evaluation.score import References
from neuromf.metrics.frechet import frechet_distance, frechet_of_covariances
from neuromf.metrics.mmd import Kernels, median_distance, polynomial_kernels, rbf_kernels
from neuromf.metrics.precision_recall import Manifold, manifold, nearest
from neuromf.metrics.wasserstein import project
from neuromf.runtime.randomness import Purpose, generator

NEIGHBOURS = 5  # of precision, recall, density and coverage
PROJECTIONS = 256  # of the sliced Wasserstein distance


@dataclass(eq=False)
class FeatureSpace:
    """What all compared sets must share: the bandwidth of the kernel, and the directions."""

    reference: Points
    sets: tuple[Points, ...] = ()  # that are compared
    seed: int = 0

    @cached_property
    def bandwidth(self) -> float:
        """Median distance between reference volumes, 0 for a single one."""
        return median_distance(self.reference.embedding) if len(self.reference) > 1 else 0.0

    @cached_property
    def bases(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Middle (C,) and leading directions (C, COMPONENTS) of each
        plane's points, over all sets.
        """
        return {key: principal((self.reference, *self.sets), key) for key in self.reference.keys}


@dataclass(eq=False)
class FeatureComparison:
    """Set a beside reference r in the features of one extractor."""

    a: Points
    r: Points
    space: FeatureSpace
    bootstrap: Bootstrap | None = None
    references: Mapping[str, References] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """The extractor."""
        return self.a.extractor.name

    @property
    def n(self) -> int:
        """Volumes of the set."""
        return len(self.a)

    @property
    def reference(self) -> int:
        """Volumes of the reference."""
        return len(self.r)

    @property
    def words(self) -> Mapping[str, str]:
        """Of what kind the extractor is."""
        return {"kind": "2.5D (mean of planes)" if len(self.a.keys) > 1 else "3D"}

    @cached_property
    def planes(self) -> dict[str, float]:
        """The Fréchet distance of each plane."""
        return {
            key: frechet_distance(self.a.gaussians[key], self.r.gaussians[key])
            for key in self.a.keys
        }

    @cached_property
    def resampled_planes(self) -> dict[str, Tensor]:
        """The same (B,) of bootstrap samples, in the directions in which the sets vary most."""
        if self.bootstrap is None:
            return {}
        return {key: self._resampled_plane(key, *self.bootstrap) for key in self.a.keys}

    def _resampled_plane(self, key: str, counts_a: Tensor, counts_r: Tensor) -> Tensor:
        basis = self.space.bases[key]
        return frechet_of_covariances(
            *moments(self.a, key, basis, counts_a), *moments(self.r, key, basis, counts_r)
        )

    @cached_property
    def polynomial(self) -> Kernels:
        """The kernels of KID."""
        return polynomial_kernels(self.a.some, self.r.some)

    @cached_property
    def radial(self) -> Kernels | None:
        """The kernels of MMD, None where all volumes of the reference are one point."""
        width = self.space.bandwidth
        return rbf_kernels(self.a.some, self.r.some, width) if width > 0 else None

    @cached_property
    def projections(self) -> list[Tensor]:
        """Both sets along the same random directions."""
        chance = generator(Purpose.DIRECTIONS, self.space.seed)
        return project([self.a.some, self.r.some], PROJECTIONS, chance)

    @cached_property
    def distances(self) -> Tensor:
        """The distance (N,) of each volume to the nearest of the reference."""
        return nearest(self.a.some, self.r.some)[0]

    @cached_property
    def manifold(self) -> Manifold:
        """Of each volume whether, or how densely, the other set covers it."""
        return manifold(self.a.some, self.r.some, NEIGHBOURS)

    def some(self, bootstrap: Bootstrap | None) -> tuple[Tensor | None, Tensor | None]:
        """Return the counts of those volumes that are compared pair by pair."""
        if bootstrap is None:
            return None, None
        return (
            bootstrap.a[:, even(len(self.a), MOST)],
            bootstrap.r[:, even(len(self.r), MOST)],
        )
