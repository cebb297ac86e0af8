"""Heads drawn from label maps: what is inside the brain, where, and how unlike they look."""

import numpy as np
import pytest

from neuromf.data.brain_network import FARTHEST_MM
from neuromf.data.volume import Volume, VolumeError
from neuromf.phantoms import heads
from neuromf.phantoms.deform import Deformation
from neuromf.phantoms.heads import Damage, draw_head, intensities, read_labels, surface_distance
from phantoms.support import labelled_head

STILL = Deformation(warp_mm=0, scale=0, rotation=0)
PLAIN = Damage(noise=0, grain=0, thick_mm=0, gamma=0, bias=0, cut=0, stripped=0)


def test_the_distance_to_a_ball():
    labels = Volume(np.zeros((60, 60, 60), np.float32), np.diag([2.0, 2, 2, 1]))
    radius = 2 * np.linalg.norm(np.indices((60, 60, 60)) - 29.5, axis=0)
    found = surface_distance(radius < 40, labels).voxels
    true = (
        radius.reshape(30, 2, 30, 2, 30, 2).mean((1, 3, 5)) - 40
        if found.shape[0] == 30
        else radius - 40
    )
    near = np.abs(true) < 8
    assert np.abs(found - true)[near].max() < 2.0
    assert np.abs(found - true)[near].mean() < 0.6
    assert found.min() == -FARTHEST_MM
    assert found.max() == FARTHEST_MM


@pytest.mark.parametrize(("width_mm", "inside"), [(8, True), (20, False)])
def test_the_surface_passes_over_sulci(width_mm, inside):
    labels = Volume(np.zeros((60, 60, 60), np.float32), np.diag([2.0, 2, 2, 1]))
    x, _, z = np.indices((60, 60, 60)) - 29.5
    ball = np.linalg.norm(np.indices((60, 60, 60)) - 29.5, axis=0) < 20
    slit = ball & ~((np.abs(x) < width_mm / 4) & (z > 5))
    found = surface_distance(slit, labels)
    middle = np.linalg.inv(found.affine) @ [2 * 29.5, 2 * 29.5, 2 * (29.5 + 12), 1]
    assert (found.voxels[tuple(np.rint(middle[:3]).astype(int))] < 0) == inside


def test_inside_is_brain_and_outside_is_not(monkeypatch):
    """Without deformation and damage, brains of one intensity and others of half of it."""
    monkeypatch.setattr(heads, "DEFORMATION", STILL)
    labels = read_labels(labelled_head())
    tissue = labels.brightness > 0.5  # fluid is darker
    table = np.where(tissue, 1.0, 0.5).astype(np.float32)
    table[0] = 0
    monkeypatch.setattr(heads, "intensities", lambda brightness, rng: table)
    head, distance = draw_head(labels, np.random.default_rng(0), PLAIN)
    clear = np.abs(distance) * FARTHEST_MM > 4.5  # voxels of 3 mm
    brain = head > 0.75
    np.testing.assert_array_equal(brain[clear], (distance < 0)[clear])
    assert (distance < 0).sum() * 27 == pytest.approx(4 / 3 * np.pi * 60**3, rel=0.1)


def test_a_head_is_a_function_of_its_random_numbers():
    labels = read_labels(labelled_head())
    one, two, other = (draw_head(labels, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert np.abs(one[0] - other[0]).mean() > 0.02
    for head, distance in (one, other):
        assert head.shape == distance.shape == heads.SHAPE
        assert (head.min(), head.max()) == (0, 1)
        assert (distance.min(), distance.max()) == (-1, 1)


def test_contrasts_are_any_and_sometimes_those_of_t1w():
    brightness = np.array([0, 0.3, 0.6, 1.0, 0, 0], np.float32)
    rng = np.random.default_rng(0)
    tables = np.stack([intensities(brightness, rng) for _ in range(400)])
    assert (tables[:, 0] == 0).all()
    in_order = (np.diff(tables[:, 1:4], axis=1) > 0).all(axis=1).mean()
    assert in_order == pytest.approx(0.3 * 0.99 + 0.7 / 6, abs=0.07)  # 6 orders of three


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: np.where(v == 2, 3, v), "2 and 41"),
        (lambda v: np.where(v > 100, 0, v), "a whole head"),
        (lambda v: v + 0.4, "no label map"),
    ],
)
def test_what_is_no_label_map_of_a_head(change, said):
    labels = labelled_head()
    with pytest.raises(VolumeError, match=said):
        read_labels(Volume(change(labels.voxels), labels.affine))


def test_voxels_that_are_no_cubes():
    labels = labelled_head()
    with pytest.raises(VolumeError, match="cubes"):
        read_labels(Volume(labels.voxels, labels.affine @ np.diag([1, 1, 1.5, 1])))
