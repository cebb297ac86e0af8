import numpy as np
from PIL import Image

from neuromf.evaluation.mask_pictures import (
    ADDED,
    KEPT,
    MISSED,
    compared,
    draw,
    fullest_slice,
    spread_over_sizes,
)
from neuromf.evaluation.mask_reading import LesionMask


def mask_of(side, name="a"):
    voxels = np.zeros((20, 24, 16), bool)
    voxels[2 : 2 + side, 9 : 9 + side, 5 : 5 + side] = True
    return LesionMask(name, voxels, (2.0, 2.0, 2.0), side**3 * 0.008)


def test_a_picture_is_written(tmp_path):
    masks = [mask_of(4), mask_of(6)]
    draw(tmp_path / "a.png", [(m, {"one": m.voxels, "other": ~m.voxels}) for m in masks])
    with Image.open(tmp_path / "a.png") as image:
        width, height = image.size
    assert width > 200
    assert height > 200


def test_colours_tell_kept_missed_and_added():
    true, found = np.array([[1, 1, 0, 0]], bool), np.array([[1, 0, 1, 0]], bool)
    assert compared(found, true)[0].tolist() == [[*KEPT], [*MISSED], [*ADDED], [0, 0, 0]]


def test_the_fullest_slice_holds_all_of_its_lesion():
    mask = mask_of(5).voxels
    mask[3, 3, 7] = True
    window = fullest_slice(mask)
    assert window[2] == 7
    assert mask[window].sum() == 26


def test_masks_are_shown_from_small_to_large():
    masks = [mask_of(side) for side in (5, 2, 7, 3, 4)]
    assert spread_over_sizes(masks, 3) == [1, 4, 2]
    assert spread_over_sizes(masks, 9) == [1, 3, 4, 0, 2]
