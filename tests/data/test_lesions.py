from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.support import ball
from neuromf.data.foreground import Region
from neuromf.data.lesions import (
    Lesion,
    binary,
    in_space_of,
    prepare_lesion,
    share_outside_brain,
)
from neuromf.data.resample import Grid, grid_of
from neuromf.data.volume import Volume, VolumeError
from support import AFFINES, egg, placed

HERE = Path("lesion.nii.gz")


@pytest.fixture(scope="module")
def scan():
    return egg(AFFINES["straight"])


@pytest.mark.parametrize("values", [(0, 1), (0, 255), (0, 0.25), (1e-9, 1), (0, 1, 1.0000001)])
def test_two_values_are_a_mask_whatever_they_are(values):
    voxels = np.resize(np.array(values, np.float32), (4, 4, 4))
    found = binary(HERE, voxels)
    assert set(np.unique(found)) == {0, 1}
    assert np.array_equal(found, voxels > 0.2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0, 1, 2), r"besides 0 it holds 2 values \(1, 2\)"),
        ((0, 0.3, 0.7, 1), "besides 0 it holds 3 values"),
        ((0, -1), r"1 values \(-1\)"),
        ((1, 2), "no voxel is 0"),
        ((1,), "no voxel is 0"),
        ((0, *range(3, 9)), r"6 values \(3, 4, 5, 6, ...\)"),
    ],
)
def test_other_values_are_refused(values, message):
    with pytest.raises(VolumeError, match=f"lesion.nii.gz.*{message}"):
        binary(HERE, np.resize(np.array(values, np.float32), (4, 4, 4)))


def test_an_empty_mask_is_a_mask():
    assert not binary(HERE, np.zeros((3, 3, 3), np.float32)).any()


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_the_same_voxels_in_any_order_take_the_scans_place(affine):
    scan = egg(affine)
    mask = ball(scan)
    turned = np.array([[0, -1, 0, len(mask.voxels) - 1], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    flipped = Volume(mask.voxels[::-1].transpose(1, 0, 2), scan.affine @ turned)
    flipped.affine[:3, 3] += 0.2 * min(scan.spacing)  # rounded in its header
    placed_there, notes = in_space_of(HERE, flipped, scan)
    wanted = mask.canonical()
    assert notes == []
    assert np.array_equal(placed_there.voxels, wanted.voxels)
    np.testing.assert_array_equal(placed_there.affine, scan.canonical().affine)


def test_the_scans_voxels_in_another_place_are_refused(scan):
    for shift in (2.0, 40.0):
        affine = scan.affine.copy()
        affine[1, 3] += shift
        with pytest.raises(VolumeError, match=rf"another place \({shift:.1f} mm apart\).*headers"):
            in_space_of(HERE, Volume(ball(scan).voxels, affine), scan)


def test_other_voxels_in_one_space_are_noted(scan):
    other = ball(egg(placed(spacing=(3.0, 3.0, 1.5))))
    found, notes = in_space_of(HERE, other, scan)
    assert np.array_equal(found.voxels, other.voxels)
    assert "is on another grid" in notes[0]
    cropped = Volume(scan.voxels[20:-10, 20:-20, 20:-10], scan.affine @ shift(20))
    found, _ = in_space_of(HERE, ball(cropped), scan)
    assert found.voxels.sum() == ball(scan).voxels.sum()


def shift(n):
    move = np.eye(4)
    move[:3, 3] = n
    return move


def test_another_space_is_refused(scan):
    coarse = egg(placed(spacing=(3.0, 3.0, 3.0)))
    far = Volume(ball(coarse).voxels, shift(150.0) @ coarse.affine)
    with pytest.raises(VolumeError, match="voxels of 3 x 3 x 3 mm.*of another subject or space"):
        in_space_of(HERE, far, scan)
    beside = egg(placed(spacing=(3.0, 3.0, 3.0)), margin_mm=40)
    with pytest.raises(VolumeError, match="100 % of the lesion lies outside the scan's field of"):
        in_space_of(HERE, ball(beside, centre=(95.0, 0.0, 0.0), radius=8), scan)


def test_shares_are_noted_or_refused(scan):
    brain = Region(scan.voxels > 0, scan.affine)
    grid = Grid((48, 48, 48), scan.affine)
    lesion = Lesion(HERE, ball(scan))
    mask, record = prepare_lesion(lesion, brain, grid_of(scan))
    assert np.array_equal(mask.voxels, lesion.mask.voxels)
    assert record["lesion_notes"] == []

    edge = Lesion(HERE, ball(scan, centre=(64.0, 0.0, 0.0)))
    inside = edge.mask.voxels[scan.voxels > 0].sum() / edge.mask.voxels.sum()
    assert share_outside_brain(edge.mask.voxels > 0, scan.affine, brain) == pytest.approx(
        1 - inside
    )
    with pytest.raises(VolumeError, match="of the lesion lies outside the brain"):
        prepare_lesion(edge, brain, grid_of(scan))
    partly = replace(edge, mask=ball(scan, centre=(59.0, 0.0, 0.0)))
    _, record = prepare_lesion(partly, brain, grid_of(scan))
    assert "% of the lesion lies outside the brain" in record["lesion_notes"][0]

    mask, record = prepare_lesion(lesion, brain, grid)
    assert 0 < record["lesion_cut_percent"] < 100
    assert mask.voxels.sum() < lesion.mask.voxels.sum()
    assert "outside the prepared grid" in record["lesion_notes"][1]
    with pytest.raises(VolumeError, match="nothing of its .* ml is left.*100 % lies outside it"):
        prepare_lesion(lesion, brain, Grid((8, 8, 8), scan.affine))


def test_a_brain_mask_is_no_lesion_mask(scan):
    brain = Region(scan.voxels > 0, scan.affine)
    whole = Lesion(HERE, Volume(brain.mask.astype(np.float32), scan.affine))
    with pytest.raises(VolumeError, match="100 % of the brain: is it a brain mask"):
        prepare_lesion(whole, brain, grid_of(scan))


def test_lesions_that_change_their_volume_are_noted(scan):
    """Some of the lesions lie between the centres of coarse voxels."""
    brain = Region(scan.voxels > 0, scan.affine)
    coarse = Grid((19, 22, 18), scan.affine @ np.diag([4, 4, 4, 1]))
    voxels = np.zeros_like(scan.voxels)
    voxels[32:41, 40, 40] = 1
    _, record = prepare_lesion(Lesion(HERE, Volume(voxels, scan.affine)), brain, coarse)
    (note,) = record["lesion_notes"]
    assert note == "the lesion measures 0.072 ml, 1.536 ml on the prepared grid"
