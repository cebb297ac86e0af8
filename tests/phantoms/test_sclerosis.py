from dataclasses import replace

import numpy as np
import pytest

from neuromf.data.volume import VolumeError
from neuromf.phantoms.lesion_config import Sclerosis
from neuromf.phantoms.sclerosis import direction, ellipsoid, sclerosis
from neuromf.phantoms.shape import offsets_mm
from phantoms.support import simple_brain


def test_lesions_do_not_overlap_and_are_as_many_as_asked():
    _, anatomy = simple_brain()
    shape = sclerosis(anatomy, Sclerosis(n=(7, 7)), np.random.default_rng(0))
    sizes = [round(one["ml"] / anatomy.voxel_ml) for one in shape.drawn["lesions"]]
    assert shape.drawn["n"] == len(sizes) == 7
    assert sum(sizes) == shape.mask.sum()
    np.testing.assert_array_equal(shape.weight >= 0.5, shape.mask)
    assert shape.strength[shape.weight > 0].min() >= 0.7


def test_a_lesion_is_longest_away_from_the_ventricle():
    _, anatomy = simple_brain()
    voxels = np.argwhere(anatomy.white & (anatomy.from_ventricles > 12))
    longer = 0
    for number in range(8):
        rng = np.random.default_rng(number)
        seed = tuple(int(i) for i in voxels[rng.integers(len(voxels))])
        box, mask = ellipsoid(anatomy, np.zeros_like(anatomy.white), seed, 60, 2.5, rng)
        inside = tuple(i - s.start for i, s in zip(seed, box, strict=True))
        part = anatomy.cut(box)
        away = direction(part.from_ventricles, inside, part.spacing)
        offset = offsets_mm(part, inside)[:, mask]
        along = away @ offset
        across = (offset**2).sum(0) - along**2
        longer += np.mean(along**2) > 0.7 * np.mean(across)  # across has two dimensions
    assert longer >= 6


def test_the_direction_is_the_slope_in_millimetres():
    distance = np.add.outer(np.arange(5.0), np.add.outer(2 * np.arange(5.0), np.zeros(5)))
    found = direction(distance, (2, 2, 2), np.array([1.0, 2.0, 1.0]))
    np.testing.assert_allclose(found, np.array([1, 1, 0]) / 2**0.5)
    np.testing.assert_allclose(direction(0 * distance, (0, 0, 0), np.ones(3)), [1, 0, 0])


def test_more_than_the_white_matter_holds_is_refused():
    _, anatomy = simple_brain()
    thin = anatomy._replace(white=anatomy.white & (anatomy.from_ventricles < 3))
    many = Sclerosis(n=(40, 40), ml=(1.0, 1.0), reach_mm=3.0)
    with pytest.raises(VolumeError, match="no room for a lesion of 1 ml"):
        sclerosis(thin, many, np.random.default_rng(0))


def test_nuclei_are_avoided():
    _, anatomy = simple_brain()
    half = np.zeros_like(anatomy.white)
    half[: half.shape[0] // 2] = True
    config = replace(Sclerosis(), n=(8, 8), ml=(0.5, 0.5))
    shape = sclerosis(anatomy._replace(nuclei=half), config, np.random.default_rng(0))
    assert shape.mask[half].sum() < 0.1 * shape.mask.sum()
