import numpy as np
import torch

from neuromf.autoencoder.mask_fields import calibrated, distance, identity, smoothed

SPACING = (2.0, 2.0, 2.0)


def box(side=4):
    mask = torch.zeros(2, 1, 16, 16, 16)
    mask[1, :, 4 : 4 + side, 4 : 4 + side, 4 : 4 + side] = 1
    return mask


def test_distance_is_half_at_the_border():
    field = distance(6.0)(box(), SPACING)
    assert field[0].unique().tolist() == [0.0]
    along = field[1, 0, :, 5, 5]
    np.testing.assert_allclose(along[2:5], [0.25, 5 / 12, 7 / 12], rtol=1e-6)


def test_every_field_keeps_the_mask_where_it_is():
    for field in (identity, smoothed, distance(6.0)):
        found = field(box(), SPACING)
        assert found.shape == box().shape
        assert found.dtype == torch.float32
        assert torch.equal((found[1] >= 0.5).float()[0, 5:7, 5:7], box()[1, 0, 5:7, 5:7])
        assert found.min() >= 0
        assert found.max() <= 1


def test_smoothing_makes_borders_partial():
    along = smoothed(box(), SPACING)[1, 0, :, 5, 5]
    assert 0.05 < along[3] < 0.2
    assert abs(float(along[3] + along[4]) - 1) < 0.01


def test_a_calibrated_field_has_its_threshold_at_half():
    field = torch.linspace(0, 1, 101)
    found = calibrated(field, 0.3)
    assert torch.equal(found >= 0.5, field >= 0.3)
    assert (found.diff() > 0).all()
    assert (found[0], found[-1]) == (0, 1)
    torch.testing.assert_close(calibrated(field, 0.5), field)
