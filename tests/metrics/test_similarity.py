import math

import numpy as np
import pytest
import torch
from monai.metrics.regression import compute_ms_ssim, compute_ssim_and_cs
from scipy import ndimage

from neuromf.metrics.similarity import (
    SCALE_WEIGHTS,
    gmsd,
    gradient_magnitude,
    local_moments,
    ms_ssim,
    multiscale_similarity,
    psnr,
    pyramid,
    similarity,
    ssim,
    ssim_map,
)


def volumes(seed=0, shape=(20, 22, 24)):
    generator = torch.Generator().manual_seed(seed)
    a = torch.rand(shape, generator=generator)
    return a, (a + 0.1 * torch.randn(shape, generator=generator)).clamp(0, 1)


def test_ssim_equals_monais_inside_the_border():
    a, b = volumes()
    theirs, _ = compute_ssim_and_cs(
        a[None, None],
        b[None, None],
        3,
        data_range=1.0,
        kernel_size=(11,) * 3,
        kernel_sigma=(1.5,) * 3,
        kernel_type="gaussian",
    )
    ours = ssim_map(a, b)[5:-5, 5:-5, 5:-5]
    torch.testing.assert_close(ours, theirs[0, 0], atol=1e-5, rtol=1e-4)


def test_equal_volumes():
    a, _ = volumes()
    assert ssim(a, a) == pytest.approx(1, abs=1e-6)
    assert psnr(a, a) == math.inf
    assert gmsd(a, a) == pytest.approx(0, abs=1e-6)


def test_symmetry_and_order():
    a, b = volumes()
    c = (a + 3 * (b - a)).clamp(0, 1)
    for measure in (ssim, psnr, gmsd):
        assert measure(a, b) == pytest.approx(measure(b, a), rel=1e-5)
    assert ssim(a, b) > ssim(a, c)
    assert psnr(a, b) > psnr(a, c)
    assert gmsd(a, b) < gmsd(a, c)


def test_psnr_of_a_known_error():
    a = torch.zeros(8, 8, 8)
    assert psnr(a, a + 0.1) == pytest.approx(20, abs=1e-4)
    mask = torch.zeros(8, 8, 8, dtype=torch.bool)
    mask[:4] = True
    b = a.clone()
    b[4:] = 1
    b[:4] = 0.01
    assert psnr(a, b, mask) == pytest.approx(40, abs=1e-3)


def test_gradient_of_a_ramp():
    ramp = torch.arange(16.0)[:, None, None].expand(16, 16, 16) / 16
    torch.testing.assert_close(gradient_magnitude(ramp)[1:-1], torch.full((14, 16, 16), 1 / 16))


def test_gmsd_of_extruded_images_is_that_of_the_paper():
    """Xue 2014: Prewitt filters (1, 0, -1) / 3 and T = 170 for grey values from 0 to 255."""
    draw = torch.Generator().manual_seed(3)
    pair = [torch.rand(20, 24, generator=draw) for _ in range(2)]
    across = np.array([[1, 0, -1]] * 3) / 3
    lengths = [
        np.hypot(
            *(ndimage.convolve(255 * image.double().numpy(), k, mode="mirror") for k in kernels)
        )
        for image, kernels in ((image, (across, across.T)) for image in pair)
    ]
    first, second = lengths
    quality = (2 * first * second + 170) / (first**2 + second**2 + 170)
    a, b = (image[..., None].expand(-1, -1, 8) for image in pair)
    assert gmsd(a, b) == pytest.approx(quality.std(), rel=1e-4)


def test_gmsd_sees_blur_and_not_a_shift_of_brightness():
    a, _ = volumes()
    blurred = torch.nn.functional.avg_pool3d(a[None, None], 3, 1, 1)[0, 0]
    assert gmsd(a, a + 0.05) < 1e-3
    assert gmsd(a, blurred) > 0.05


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="equal shape"):
        ssim_map(torch.zeros(12, 12, 12), torch.zeros(12, 12, 13))
    with pytest.raises(ValueError, match="11 voxels"):
        ssim_map(torch.zeros(8, 12, 12), torch.zeros(8, 12, 12))


@pytest.mark.parametrize("measure", [psnr, ssim, ms_ssim, gmsd])
def test_what_is_no_pair_of_volumes_is_refused(measure):
    a = torch.rand(12, 12, 12)
    for b in (
        torch.rand(12, 12, 13),
        torch.rand(1, 12, 12, 12),
        torch.ones(12, 12, 12, dtype=torch.int16),
        a.numpy(),
    ):
        for pair in ((a, b), (b, a)):
            with pytest.raises(ValueError, match="came|equal shape"):
                measure(*pair)


@pytest.mark.parametrize("measure", [psnr, ssim, gmsd])
def test_masks_are_checked(measure):
    a, b = volumes()
    for mask in (
        torch.ones(a.shape),
        torch.ones(3, 3, dtype=torch.bool),
        torch.zeros(a.shape, dtype=torch.bool),
    ):
        with pytest.raises(ValueError, match="mask of bool"):
            measure(a, b, mask)


def test_ranges_and_nan():
    a, b = volumes()
    for measure in (psnr, ssim, ms_ssim):
        with pytest.raises(ValueError, match="data_range is 0"):
            measure(a, b, data_range=0)
    assert math.isnan(psnr(a, b * math.nan))


def test_moments_that_are_known_give_the_same():
    a, b = volumes()
    assert torch.equal(similarity(local_moments(a), local_moments(b)), ssim_map(a, b))
    assert multiscale_similarity(pyramid(a), pyramid(b)) == ms_ssim(a, b)


def test_ms_ssim_equals_monais():
    """To the last digit, on volumes of two scales."""
    a, b = volumes(shape=(30, 33, 36))
    weights = torch.tensor(SCALE_WEIGHTS[:3])
    theirs = compute_ms_ssim(
        a[None, None], b[None, None], 3, kernel_size=7, weights=(weights / weights.sum()).tolist()
    )
    assert ms_ssim(a, b) == pytest.approx(float(theirs), rel=1e-6)


class TestMultiScale:
    def test_equal_volumes_and_symmetry(self):
        a, b = torch.rand(40, 44, 40), torch.rand(40, 44, 40)
        assert ms_ssim(a, a) == pytest.approx(1, abs=1e-6)
        assert ms_ssim(a, b) == pytest.approx(ms_ssim(b, a), abs=1e-6)

    def test_falls_with_noise(self):
        a = ndimage.gaussian_filter(np.random.default_rng(0).random((40, 40, 40)), 3)
        a = torch.from_numpy(((a - a.min()) / np.ptp(a)).astype(np.float32))
        noise = torch.randn(40, 40, 40, generator=torch.Generator().manual_seed(0))
        found = [ms_ssim(a, a + s * noise) for s in (0, 0.05, 0.1, 0.3)]
        assert found == sorted(found, reverse=True)

    def test_equals_torchmetrics_where_all_five_scales_fit(self):
        functional = pytest.importorskip("torchmetrics.functional.image", exc_type=ImportError)
        a = torch.rand(1, 1, 113, 113, 113, generator=torch.Generator().manual_seed(0))
        b = 0.7 * a + 0.3 * torch.rand(
            1, 1, 113, 113, 113, generator=torch.Generator().manual_seed(1)
        )
        theirs = functional.multiscale_structural_similarity_index_measure(
            a, b, kernel_size=7, data_range=1.0
        )
        assert ms_ssim(a[0, 0], b[0, 0]) == pytest.approx(
            float(theirs), abs=0.02
        )  # their borders differ

    @pytest.mark.parametrize(("side", "scales"), [(7, 1), (13, 1), (14, 2), (27, 2), (28, 3)])
    def test_the_window_fits_into_every_scale(self, side, scales):
        a, b = volumes(shape=(side, side + 1, side + 2))
        assert len(pyramid(a)) == scales
        assert 0 < ms_ssim(a, b) < ms_ssim(a, a) == pytest.approx(1, abs=1e-6)

    def test_small_or_unlike_volumes_are_refused(self):
        with pytest.raises(ValueError, match="7 voxels or more a side"):
            ms_ssim(torch.rand(6, 9, 9), torch.rand(6, 9, 9))
