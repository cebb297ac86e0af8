import numpy as np

from neuromf.phantoms.flair import flair_like
from phantoms.support import MEANS, simple_brain


def test_fluid_is_dark_and_grey_brighter_than_white():
    volume, anatomy = simple_brain()
    mapped = flair_like(volume, MEANS).voxels
    fluid, grey, white = (np.median(mapped[anatomy.labels == label]) for label in (1, 2, 3))
    assert fluid < 0.4 * white
    assert 1.05 * white < grey < 1.2 * white
    np.testing.assert_array_equal(mapped > 0, volume.voxels > 0)


def test_the_map_is_continuous():
    values = np.linspace(0, 1, 1001, dtype=np.float32).reshape(1001, 1, 1)
    volume, _ = simple_brain()
    mapped = flair_like(type(volume)(values, volume.affine), MEANS).voxels.ravel()
    assert np.abs(np.diff(mapped)).max() < 0.005
    assert mapped.min() == 0
