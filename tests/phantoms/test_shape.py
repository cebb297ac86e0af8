import numpy as np
import pytest

from neuromf.phantoms.shape import log_uniform, offsets_mm, pick
from phantoms.support import simple_brain


def test_numbers_are_uniform_in_their_logarithm():
    rng = np.random.default_rng(0)
    logs = np.log([log_uniform((0.1, 10.0), rng) for _ in range(2000)])
    assert logs.min() >= np.log(0.1)
    assert logs.max() <= np.log(10)
    assert logs.mean() == pytest.approx(0, abs=0.15)
    assert logs.std() == pytest.approx(np.log(100) / 12**0.5, rel=0.05)


def test_voxels_are_drawn_by_their_odds():
    mask = np.zeros((3, 3, 3), bool)
    mask[0, 0, 1] = mask[2, 1, 0] = mask[2, 2, 2] = True
    rng = np.random.default_rng(0)
    drawn = [pick(mask, np.array([1.0, 0.0, 3.0], np.float32), rng) for _ in range(400)]
    assert set(drawn) == {(0, 0, 1), (2, 2, 2)}
    assert 0.6 < drawn.count((2, 2, 2)) / 400 < 0.9


def test_offsets_are_in_millimetres():
    _, anatomy = simple_brain(3.0)
    offsets = offsets_mm(anatomy, (4, 5, 6))
    np.testing.assert_array_equal(offsets[:, 4, 5, 6], 0)
    np.testing.assert_allclose(offsets[:, 5, 3, 6], [3.0, -6.0, 0.0])
