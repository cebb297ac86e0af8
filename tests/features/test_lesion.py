"""Measurements of a lesion: volumes in ml, shape, contrast, side; of an empty mask none."""

import math

import numpy as np
import pytest

from neuromf.data.volume import Volume
from neuromf.features.lesion import (
    NUMBERS,
    from_tensors,
    in_blocks,
    measure_lesion,
    shell,
)

SHAPE = (30, 28, 26)


def volume(spacing=(2.0, 2.0, 2.0), value=0.4):
    voxels = np.zeros(SHAPE, np.float32)
    voxels[1:-1, 1:-1, 1:-1] = value
    return Volume(voxels, np.diag([*spacing, 1.0]))


def box(low, size):
    mask = np.zeros(SHAPE, bool)
    mask[tuple(slice(a, a + n) for a, n in zip(low, size, strict=True))] = True
    return mask


def ball(radius, spacing=(1.0, 1.0, 1.0)):
    at = np.indices(SHAPE) - np.array([[[[14]]], [[[14]]], [[[13]]]])
    return (np.square(at * np.reshape(spacing, (3, 1, 1, 1))).sum(0)) <= radius**2


def numbers(mask, image=None):
    return measure_lesion(image or volume(), mask).numbers


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (1.0, 1.0, 1.0), (0.5, 1.0, 3.0)])
def test_volumes_are_in_ml_at_every_voxel_size(spacing):
    found = numbers(box((4, 5, 6), (5, 10, 2)), volume(spacing))
    assert found["ml"] == pytest.approx(100 * math.prod(spacing) / 1000)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.7])
def test_the_contrast_of_a_lesion_that_is_k_times_as_bright_is_k(ratio):
    mask, image = box((10, 10, 10), (4, 5, 3)), volume()
    image.voxels[mask] *= ratio
    found = measure_lesion(image, mask)
    assert found.numbers["contrast"] == pytest.approx(ratio)
    assert found.inside.sum() == pytest.approx(1)
    assert found.inside.argmax() == int(0.4 * ratio * 64)
    assert found.around[int(0.4 * 64)] == 1


def test_background_is_no_surroundings():
    """A lesion at the rim of the brain is compared with brain alone."""
    mask, image = box((1, 10, 10), (3, 4, 4)), volume()
    image.voxels[mask] *= 2
    assert numbers(mask, image)["contrast"] == pytest.approx(2)
    full = np.ones(SHAPE, bool)
    assert math.isnan(numbers(full)["contrast"])


@pytest.mark.parametrize(("spacing", "voxels"), [((2.0, 2.0, 2.0), {1, 2, 3}), ((1.0, 2.0, 2.0), {2, 3, 4, 5, 6})])  # fmt: skip
def test_the_shell_is_2_to_6_mm_away(spacing, voxels):
    mask = box((14, 14, 13), (1, 1, 1))
    found = shell(mask, spacing)
    assert {i - 14 for i in np.flatnonzero(found[:, 14, 13]) if i > 14} == voxels
    assert not (found & mask).any()


def test_shapes_are_told_apart():
    round_one, rod = numbers(ball(9.0)), numbers(box((3, 12, 12), (24, 2, 2)))
    assert round_one["sphericity"] == pytest.approx(2 / 3, abs=0.03)
    assert numbers(box((8, 8, 8), (6, 6, 6)))["sphericity"] == pytest.approx(0.806, abs=1e-3)
    assert rod["sphericity"] < 0.55
    assert round_one["elongation"] == pytest.approx(1, abs=0.01)
    assert rod["elongation"] == pytest.approx(12)
    assert numbers(box((3, 12, 12), (1, 1, 1)))["elongation"] == pytest.approx(1)


def test_shapes_are_those_in_mm():
    """A ball is as round on voxels that are no cubes; a box of 2 x 4 voxels may be a cube."""
    spacing = (1.0, 1.0, 0.8)
    found = numbers(ball(8.0, spacing), volume(spacing))
    assert found["elongation"] == pytest.approx(1, abs=0.02)
    cube = numbers(box((8, 8, 8), (2, 4, 4)), volume((2.0, 1.0, 1.0)))
    assert cube["sphericity"] == pytest.approx(0.806, abs=1e-3)


def test_the_shape_is_that_of_the_largest_lesion():
    cube = box((8, 8, 8), (6, 6, 6))
    both = cube | box((20, 20, 20), (5, 1, 1)) | box((2, 2, 2), (1, 1, 1))
    assert numbers(both)["components"] == 3
    assert numbers(both)["sphericity"] == numbers(cube)["sphericity"]
    corner = box((8, 8, 8), (2, 2, 2)) | box((10, 10, 10), (2, 2, 2))
    assert numbers(corner)["components"] == 1


def test_sides():
    left, right = box((3, 10, 10), (4, 4, 4)), box((23, 10, 10), (4, 4, 4))
    assert [numbers(m)["left"] for m in (left, right, left | right)] == [1, 0, 0.5]
    assert numbers(box((13, 10, 10), (4, 4, 4)))["left"] == pytest.approx(0.5)


def test_of_an_empty_mask_there_is_nothing_to_measure():
    found = measure_lesion(volume(), np.zeros(SHAPE, bool))
    assert found.empty
    assert (found.numbers["ml"], found.numbers["components"]) == (0, 0)
    assert all(math.isnan(found.numbers[name]) for name in NUMBERS[2:])
    assert found.inside.sum() == found.around.sum() == found.place.sum() == 0
    assert found.brain.sum() == (volume().voxels > 0).sum()


def test_blocks_hold_every_voxel():
    mask = ball(11.0)
    blocks = in_blocks(mask, (4, 4, 4))
    assert blocks.shape == (8, 7, 7)
    assert blocks.sum() == mask.sum()
    assert blocks[3, 3, 3] == 64


def test_a_measured_lesion_is_kept_whole():
    found = measure_lesion(volume(), ball(7.0))
    again = from_tensors(found.tensors())
    assert again.numbers == found.numbers
    assert np.array_equal(again.points, found.points)
    assert again.spacing == found.spacing
    for name in ("inside", "around", "place", "brain"):
        assert (getattr(again, name) == getattr(found, name)).all()
