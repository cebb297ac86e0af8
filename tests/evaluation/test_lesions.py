"""Lesion masks of sets: measured where samples and reference have some; missing ones are told."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from evaluation.support import boxes, brain_with, lesion_set
from neuromf.data.volume import write_mask, write_volume
from neuromf.evaluation.lesions import measure_lesions
from neuromf.evaluation.measured import MeasuredSet, MeasuredSets
from neuromf.evaluation.sets import VolumeSet
from neuromf.features.cache import Cache
from neuromf.features.extract import Features, Job


def on_disk(folder, masks, name, broken=()):
    """Return a set whose files are written, without measurements of lesions."""
    made = lesion_set(masks, name)
    items = []
    for i, (item, mask) in enumerate(zip(made.volumes.items, masks, strict=True)):
        path = folder / f"{item.name}.nii.gz"
        volume = brain_with(mask if mask is not None else boxes(1, 9)[0])
        write_volume(path, volume)
        lesion = folder / f"{item.name}_lesion.nii.gz" if mask is not None else None
        if lesion is not None and i not in broken:
            write_mask(lesion, replace(volume, voxels=mask.astype(np.float32)))
        items.append(replace(item, path=path, lesion=lesion))
    features = Features(made.features.files, Job((), Cache(folder / "cache")))
    return MeasuredSet(VolumeSet(name, tuple(items)), features)


@pytest.fixture
def measurer():
    rejected = []
    return SimpleNamespace(
        notes=[], processes=1, rejected=rejected, reject=lambda *row: rejected.append(row)
    )


def test_masks_are_measured_and_missing_ones_told(tmp_path, measurer):
    nothing = np.zeros((24, 24, 24), bool)
    masks = [*boxes(2, 0), None, nothing, boxes(1, 3)[0]]
    samples = on_disk(tmp_path, masks, "a", broken=(4,))
    reference = on_disk(tmp_path, boxes(3, 1), "r")
    measure_lesions(MeasuredSets([samples], reference), measurer)
    assert [m is not None and not m.empty for m in samples.lesions] == [True, True, False, False, False]  # fmt: skip
    assert [m is None for m in samples.lesions] == [False, False, True, False, True]
    assert len(samples.with_masks) == len(samples.masks) == 3
    assert samples.only([1, 2]).lesions == samples.lesions[1:3]
    assert measurer.notes == [
        "a: 2 of 5 volumes have no lesion mask: lesion metrics are of the other 3",
        "a: 1 of 3 lesion masks are empty",
    ]
    name, failed, _ = next(row for row in measurer.rejected if row[1])
    assert (name, failed[0][1]) == ("a", "the lesion mask is missing")


def test_sets_without_masks_are_left_alone(tmp_path, measurer):
    some = [on_disk(tmp_path, [None] * 3, name) for name in ("a", "r")]
    measure_lesions(MeasuredSets(some[:1], some[1]), measurer)
    assert (some[0].lesions, measurer.notes) == ((), [])


def test_masks_of_one_side_alone_are_told(tmp_path, measurer):
    samples, reference = on_disk(tmp_path, boxes(2, 0), "a"), on_disk(tmp_path, [None] * 3, "r")
    measure_lesions(MeasuredSets([samples], reference), measurer)
    assert samples.lesions == ()
    assert measurer.notes == [
        "lesion metrics need masks of both samples and reference: a has 2, r has 0"
    ]
