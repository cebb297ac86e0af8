import functools

import numpy as np
import pytest
from scipy import ndimage

from neuromf.data.resample import Grid, resample
from neuromf.data.template import mni152, mni152_mask
from neuromf.data.volume import Volume, VolumeError
from neuromf.features.networks import coarse_template
from neuromf.phantoms import anatomy as finding
from neuromf.phantoms.anatomy import (
    box_around,
    deep_grey,
    find_anatomy,
    hindbrain,
    lateral,
    template_points,
)
from phantoms.support import simple_brain


@functools.cache
def template_brain():
    """The tissues of the template at 2 mm as a T1w brain, and what was found in it."""
    grid = Grid(coarse_template().voxels.shape, coarse_template().affine)
    grey, white, mask = (
        resample(Volume(v.astype(np.float32), mni152().affine), grid, smooth=False).voxels
        for v in (mni152("gm").voxels, mni152("wm").voxels, mni152_mask())
    )
    image = np.where(mask > 0.5, 0.2 + 0.35 * grey + 0.6 * white, 0)
    noise = 0.01 * np.random.default_rng(0).standard_normal(image.shape)
    image = np.where(image > 0, np.clip(image + noise, 0.01, 1), 0)
    volume = Volume(image.astype(np.float32), grid.affine)
    return volume, find_anatomy(volume)


def test_structures_of_the_template_are_found():
    volume, found = template_brain()
    points = template_points(volume, np.eye(4))
    x, y, z = points
    ml = {name: getattr(found, name).sum() * volume.voxel_ml for name in ("ventricles", "cortex")}
    assert 5 < ml["ventricles"] < 60
    assert 300 < ml["cortex"] < 800
    for mask in (found.cortex, found.white):
        assert not mask[(np.abs(x) < 12) & (y < -50) & (z < -20)].any()  # the cerebellum
        assert not mask[(np.abs(x) < 10) & (y > -40) & (y < -15) & (z < -20)].any()  # the stem
    assert (np.abs(x)[found.ventricles] < 45).all()
    assert found.from_ventricles[found.cortex].min() > 5
    assert not (found.cortex & found.nuclei).any()
    # left and right alike
    assert (x[found.ventricles] > 0).mean() == pytest.approx(0.5, abs=0.1)
    assert (x[found.cortex] > 0).mean() == pytest.approx(0.5, abs=0.05)


def test_distances_are_to_the_ventricles_in_millimetres():
    volume, found = template_brain()
    expected = ndimage.distance_transform_edt(~found.ventricles, volume.spacing)
    np.testing.assert_allclose(found.from_ventricles, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("region", "inside", "outside"),
    [
        (lateral, (18, 10, 12), (0, -5, 0)),  # frontal horn; third ventricle
        (lateral, (-25, -40, 12), (8, -35, 2)),  # atrium; cistern
        (hindbrain, (15, -60, -30), (15, -85, 10)),  # cerebellum; occipital lobe
        (hindbrain, (0, -25, -30), (45, -10, -30)),  # pons; temporal lobe
        (deep_grey, (12, -20, 8), (38, 5, 0)),  # thalamus; insula
    ],
)
def test_regions_of_the_template(region, inside, outside):
    for side in (1, -1):
        mirrored = np.array([side, 1, 1], dtype=float)
        assert region((mirrored * inside).reshape(3, 1))[0]
        assert not region((mirrored * outside).reshape(3, 1))[0]


def test_a_part_lies_where_the_whole_does():
    _, whole = simple_brain()
    box = box_around(np.array([[20, 30, 20]]), 10.0, whole)
    part = whole.cut(box)
    assert [s.start for s in box] == [15, 25, 15]
    assert part.labels.shape == (11, 11, 11)
    np.testing.assert_array_equal(part.cortex, whole.cortex[box])
    np.testing.assert_allclose(
        part.affine @ [0, 0, 0, 1], whole.affine @ [15, 25, 15, 1], atol=1e-9
    )
    near_edge = box_around(np.array([[0, 0, 0]]), 10.0, whole)
    assert [(s.start, s.stop) for s in near_edge] == [(0, 6)] * 3


def test_a_brain_without_ventricles_is_refused(monkeypatch):
    volume, _ = template_brain()
    none = np.zeros(volume.voxels.shape, bool)
    monkeypatch.setattr(finding, "ventricle_mask", lambda volume, tissues: none)
    with pytest.raises(VolumeError, match="no ventricles were found"):
        find_anatomy(volume)
