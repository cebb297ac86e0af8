"""Features: which slices, orientation, one scale for all volumes, no per-volume normalisation."""

import numpy as np
import pytest
import torch
from torch import nn

from features.support import blob
from neuromf.data.volume import Volume
from neuromf.features.networks import (
    VOXEL_MEAN,
    VOXEL_STD,
    central_slices,
    coarse_template,
    random_network,
    slice_features,
    spatial_mean,
    standardised,
    three_channels,
    volume_features,
)

CPU = torch.device("cpu")


def test_central_slices_are_the_middle_fifth_of_each_plane():
    voxels = torch.arange(20 * 30 * 40).view(20, 30, 40).float()
    found = central_slices(voxels)
    assert {k: tuple(v.shape) for k, v in found.items()} == {
        "axial": (8, 20, 30),
        "coronal": (6, 20, 40),
        "sagittal": (4, 30, 40),
    }
    assert torch.equal(found["sagittal"][0], voxels[8])
    assert torch.equal(found["coronal"][-1], voxels[:, 17])
    assert torch.equal(found["axial"][3], voxels[:, :, 19])
    assert len(central_slices(torch.zeros(3, 3, 3))["axial"]) == 1  # never none


def test_intensities_go_in_as_they_are():
    """No volume is scaled by its own range: twice as bright is twice as bright."""
    images = torch.rand(2, 8, 9)
    x = three_channels(images)
    assert x.shape == (2, 3, 8, 9)
    torch.testing.assert_close(x[:, 0] - x[:, 2], torch.full((2, 8, 9), 0.485 - 0.406))
    torch.testing.assert_close(
        three_channels(2 * images) - x, images[:, None].expand(-1, 3, -1, -1)
    )
    v = blob(0)
    torch.testing.assert_close(
        standardised(v)[0, 0], (torch.from_numpy(v.voxels) - VOXEL_MEAN) / VOXEL_STD
    )


def test_features_are_spatial_means():
    network = nn.Conv2d(3, 4, 3, padding=1).eval()
    found = slice_features(network, CPU)(blob(1))
    x = three_channels(central_slices(torch.from_numpy(blob(1).voxels))["coronal"])
    torch.testing.assert_close(found["coronal"], network(x).mean((2, 3)).detach())
    three = nn.Conv3d(1, 5, 3).eval()
    y = volume_features(three, CPU)(blob(1))["volume"]
    torch.testing.assert_close(y, three(standardised(blob(1))).mean((2, 3, 4)).detach())


@pytest.mark.parametrize(("kind", "channels"), [("2.5d", 2048), ("3d", 512)])
def test_random_networks_see_differences(kind, channels):
    network = random_network(kind)
    features = slice_features(network, CPU) if kind == "2.5d" else volume_features(network, CPU)
    key = "axial" if kind == "2.5d" else "volume"
    a, b = features(blob(0))[key].mean(0), features(blob(1))[key].mean(0)
    again = (slice_features if kind == "2.5d" else volume_features)(random_network(kind), CPU)(
        blob(0)
    )[key].mean(0)
    assert a.shape == (channels,)
    torch.testing.assert_close(a, again)  # a seed gives one network
    brighter = Volume(np.clip(1.2 * blob(0).voxels, 0, 1), blob(0).affine)
    assert (a - b).norm() > 1e-2 * a.norm()
    assert (features(brighter)[key].mean(0) - a).norm() > 1e-3 * a.norm()


def test_what_is_no_feature_is_refused():
    with pytest.raises(ValueError, match="features"):
        spatial_mean(torch.zeros(3))
    with pytest.raises(ValueError, match="features"):
        spatial_mean((torch.zeros(2, 3),))


def test_the_template_is_a_brain_at_2_mm():
    template = coarse_template()
    assert template.spacing == pytest.approx((2, 2, 2))
    assert 1.5e3 < (template.voxels > 0.05).sum() * template.voxel_ml < 2.2e3
