import numpy as np
import pytest
from scipy import ndimage

from neuromf.data.volume import VolumeError
from neuromf.phantoms.growth import grow, smooth_noise, soft, whole_voxels

MM = np.array([2.0, 2.0, 2.0])


def distance_to(seed, shape=(20, 20, 20)):
    return np.sqrt(((np.indices(shape) - np.reshape(seed, (3, 1, 1, 1))) ** 2).sum(0))


@pytest.mark.parametrize("voxels", [1, 7, 100, 1000])
def test_a_region_has_the_size_asked_for_and_one_piece(voxels):
    cost = distance_to((9, 9, 9))
    region = grow(cost, np.ones(cost.shape, bool), (9, 9, 9), voxels)
    assert region.sum() == voxels
    assert ndimage.label(region)[1] == 1
    # nothing outside is nearer than what is inside, by more than a voxel
    assert cost[region].max() <= cost[~region].min() + 1


def test_a_region_stays_in_what_is_allowed_and_goes_around_walls():
    allowed = np.ones((20, 20, 20), bool)
    allowed[10] = False
    allowed[10, 0, 0] = True
    cost = distance_to((9, 9, 9))
    region = grow(cost, allowed, (9, 9, 9), 5000)
    assert not region[~allowed].any()
    assert region[10, 0, 0]
    assert region[11:].any()


def test_given_voxels_count():
    given = np.zeros((20, 20, 20), bool)
    given[9, 9, 9:15] = True
    cost = distance_to((9, 9, 9))
    region = grow(cost, np.ones(cost.shape, bool), (9, 9, 9), 50, given)
    assert region.sum() == 50
    assert region[given].all()


def test_a_region_that_does_not_fit_is_refused():
    allowed = np.zeros((20, 20, 20), bool)
    allowed[5:8, 5:8, 5:8] = True
    with pytest.raises(VolumeError, match="28 voxels were asked for, 27 are within reach"):
        grow(distance_to((6, 6, 6)), allowed, (6, 6, 6), 28)


@pytest.mark.parametrize("width", [0.5, 2.0, 4.0, 8.0])
def test_a_weight_is_at_least_a_half_inside_the_mask_alone(width):
    mask = distance_to((9, 9, 9)) < 5.3
    weight = soft(mask, MM, width)
    np.testing.assert_array_equal(weight >= 0.5, mask)
    assert weight.max() == 1
    assert weight.min() == 0
    far = ndimage.distance_transform_edt(~mask, MM) - 1 >= width / 2
    assert not weight[far].any()


def test_volumes_become_whole_voxels_within_their_limits():
    assert whole_voxels(1.0, (0.5, 2.0), 0.008) == 125
    assert whole_voxels(0.1, (0.1, 2.0), 0.064) == 2  # 1.6 voxels: one would be too small
    assert whole_voxels(2.0, (0.1, 2.0), 0.064) == 31
    assert whole_voxels(0.5, (0.5, 0.5), 0.008) == 62
    with pytest.raises(VolumeError, match=r"a voxel measures 1 ml"):
        whole_voxels(0.3, (0.1, 0.9), 1.0)


def test_noise_has_unit_variance_and_is_smooth():
    noise = smooth_noise((30, 30, 30), 6.0, MM, np.random.default_rng(0))
    assert noise.std() == pytest.approx(1, abs=1e-3)
    assert np.abs(np.diff(noise, axis=0)).mean() < 0.5
