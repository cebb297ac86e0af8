"""Sets of volumes with what was measured of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from neuromf.evaluation.sets import VolumeSet
from neuromf.features.extract import Features
from neuromf.features.lesion import MeasuredLesion


@dataclass
class MeasuredSet:
    """One set, measured."""

    volumes: VolumeSet  # those that could be read
    features: Features
    sizes: dict[str, Tensor] = field(default_factory=dict)  # region -> ml of each volume (N,)
    # of each volume, None for one without a lesion mask; empty where no masks were looked at
    lesions: tuple[MeasuredLesion | None, ...] = ()

    @property
    def name(self) -> str:
        """The name of the set."""
        return self.volumes.name

    def __len__(self) -> int:
        return len(self.volumes)

    def only(self, indices: Sequence[int]) -> MeasuredSet:
        """Return the same of some of the volumes."""
        chosen = list(indices)
        volumes = VolumeSet(self.name, tuple(self.volumes.items[i] for i in chosen))
        return MeasuredSet(
            volumes,
            self.features.only(chosen),
            {k: v[chosen] for k, v in self.sizes.items()},
            tuple(self.lesions[i] for i in chosen) if self.lesions else (),
        )

    @property
    def with_masks(self) -> MeasuredSet:
        """The volumes that have a lesion mask, empty ones included."""
        return self.only([i for i, lesion in enumerate(self.lesions) if lesion is not None])

    @property
    def masks(self) -> list[MeasuredLesion]:
        """The lesions of the volumes that have a mask."""
        return [lesion for lesion in self.lesions if lesion is not None]


@dataclass
class MeasuredSets:
    """All sets of an evaluation, measured."""

    sets: list[MeasuredSet]  # of samples, of equal numbers of volumes
    reference: MeasuredSet
    real: MeasuredSet | None = None  # a second set of real volumes
    train: MeasuredSet | None = None
    reconstruction: MeasuredSet | None = None

    @property
    def people(self) -> MeasuredSet:
        """The real volumes that are scored beside samples, and that are reconstructed."""
        return self.real if self.real is not None else self.reference

    @property
    def reconstructed(self) -> list[int]:
        """The numbers of those volumes of `people` that the reconstructions are of."""
        if self.reconstruction is None:
            return []
        numbers = {item.name: number for number, item in enumerate(self.people.volumes.items)}
        return [numbers[item.name] for item in self.reconstruction.volumes.items]


def equal_files(one: MeasuredSet, other: MeasuredSet) -> int:
    """Return how many files of a set are in another too."""
    return len({f.sha256 for f in one.features.files} & {f.sha256 for f in other.features.files})
