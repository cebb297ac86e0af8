"""The nearest volume of the reference, by coarse voxels: of another person, and another file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from neuromf.evaluation.measured import MeasuredSet
from neuromf.features.plain import VOXELS
from neuromf.metrics.precision_recall import nearest


@dataclass(frozen=True)
class Neighbours:
    """The nearest reference volume of each volume of a set, by coarse voxels: root
    mean square distance (N,), infinite where there is none, and index (N,).
    """

    distance: Tensor
    index: Tensor


def neighbours(a: MeasuredSet, r: MeasuredSet) -> Neighbours:
    """Return the nearest reference volume of each volume, of another person and another file."""
    x, y = a.features.stacked(VOXELS, "voxels"), r.features.stacked(VOXELS, "voxels")
    distance, index = nearest(x, y, one_person(a, r))
    return Neighbours(distance / x.shape[1] ** 0.5, index)


def one_person(a: MeasuredSet, r: MeasuredSet) -> Tensor:
    """Return (N, M): which pairs of volumes are of one person, as far as that is known,
    or of one file. Equal names in two data sets are two people.
    """
    people = equal(*([item.person for item in s.volumes.items] for s in (a, r)))
    mine, theirs = ([item.dataset.casefold() for item in s.volumes.items] for s in (a, r))
    named = (torch.tensor([bool(name) for name in names]) for names in (mine, theirs))
    both_named = torch.logical_and(*torch.meshgrid(*named, indexing="ij"))
    people &= equal(mine, theirs) | ~both_named
    return people | equal(*([file.sha256 for file in s.features.files] for s in (a, r)))


def equal(mine: Sequence[str], theirs: Sequence[str]) -> Tensor:
    """Return (N, M): which pairs of texts are equal and not empty."""
    known = dict.fromkeys([*mine, *theirs])
    numbers = {text: number for number, text in enumerate(known, start=1)} | {"": 0}
    one, other = (torch.tensor([numbers[text] for text in texts]) for texts in (mine, theirs))
    return (one[:, None] == other[None, :]) & (one[:, None] > 0)
