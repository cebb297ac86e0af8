from dataclasses import replace

import pytest
import torch

from neuromf.data.cohort import read_cohort
from neuromf.training.decoder_config import TrainDecoderConfig
from neuromf.training.latent_patches import LatentPatches, LatentVolume

CONFIG = TrainDecoderConfig(updates=12, batch=3, patch=16)


@pytest.fixture
def training(cohort):
    """Volumes with "latents" that are the means of their blocks of 4 x 4 x 4 voxels."""
    entries = [e for e in read_cohort(cohort) if e.split == "train"]
    return [[LatentVolume(e, means(torch.from_numpy(e.read().voxels)[None])) for e in entries]]


def means(x):
    return torch.nn.functional.avg_pool3d(x, 4)


def equal(a, b):
    return all(torch.equal(one, other) for one, other in zip(a, b, strict=True))


def test_patches_depend_on_seed_and_number_alone(training):
    patches = LatentPatches(training, CONFIG)
    batch = patches[3][0]
    assert batch.z.shape == batch.noise.shape == (3, 1, 4, 4, 4)
    assert batch.x.shape == (3, 1, 16, 16, 16)
    assert equal(batch, LatentPatches(training, replace(CONFIG, updates=99))[3][0])
    assert not equal(batch, patches[4][0])
    assert not equal(batch, LatentPatches(training, replace(CONFIG, seed=1))[3][0])


def test_latent_and_volume_are_of_one_place(training):
    for update in range(CONFIG.updates):
        batch = LatentPatches(training, CONFIG)[update][0]
        torch.testing.assert_close(means(batch.x), batch.z)


def test_the_loss_leaves_out_borders_inside_the_volume(training):
    """A patch of 16 voxels in a volume of 24: at most one of its two sides is the volume's."""
    patches = LatentPatches(training, CONFIG)
    found = torch.cat([patches[i][0].inside for i in range(CONFIG.updates)])
    assert set(found[..., 0].flatten().tolist()) == {0, 4}
    assert set(found[..., 1].flatten().tolist()) == {12, 16}
    assert not ((found[..., 0] == 0) & (found[..., 1] == 16)).any()
    whole = LatentPatches(training, replace(CONFIG, patch=24))[0][0]
    assert whole.inside[:, 0].tolist() == [[0, 24]] * 3  # all of the volume along this axis


def test_a_share_of_patches_has_noise_up_to_a_level(training):
    patches = LatentPatches(training, replace(CONFIG, updates=40, latent_noise=0.2, noisy=0.5))
    levels = torch.cat([patches[i][0].noise.std((1, 2, 3, 4)) for i in range(40)])
    assert 0.3 < (levels == 0).float().mean() < 0.7
    assert 0.15 < levels.max() < 0.25
    none = LatentPatches(training, replace(CONFIG, noisy=0.0))[0][0]
    assert none.noise.abs().max() == 0
