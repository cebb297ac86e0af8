"""The model that ships with the package draws brains: their size, their shape, their statistics."""

import numpy as np
import pytest
import torch

import neuromf
from neuromf.data.template import mni152_mask
from neuromf.generation.generator import noise_of


@pytest.fixture(scope="module")
def drawn():
    return neuromf.load("embedded", device="cpu").generate(3, seed=1)


@pytest.fixture(scope="module")
def latents():
    """Normalised one-call samples."""
    generator = neuromf.load("embedded", device="cpu")
    noise = torch.cat([noise_of(generator.config.shape, i, 1) for i in range(16)])
    return generator.config.stats.normalise(generator.latent_from(noise))


def test_the_size_of_a_brain(drawn):
    for volume in drawn:
        litres = (volume.voxels > 0.1).sum() * volume.voxel_ml / 1000
        assert 0.9 < litres < 2.0


def test_samples_are_sharpened_unless_another_decoder_is_named():
    assert neuromf.load("embedded", device="cpu").vae.name == "small-sharp"
    assert neuromf.load("embedded", device="cpu", decoder="small").vae.name == "small-vae"


def test_left_is_like_right_and_ventricles_are_dark(drawn):
    for volume in drawn:
        halves = volume.voxels, volume.voxels[::-1]
        assert np.corrcoef(*(h.ravel() for h in halves))[0, 1] > 0.8
        inside = volume.voxels[volume.voxels > 0.1]
        middle = volume.voxels[34:46, 44:60, 36:50]  # around the lateral ventricles
        assert middle.min() < 0.5 * np.median(inside)


def test_samples_differ(drawn):
    a, b, c = (v.voxels for v in drawn)
    assert all(
        np.abs(x - y)[(x > 0.1) & (y > 0.1)].mean() > 0.02 for x, y in ((a, b), (b, c), (a, c))
    )


def test_statistics_are_those_of_the_training_latents(latents):
    """P4-T7: each channel's mean within 0.1 of 0 and deviation within 0.15 of 1."""
    assert torch.isfinite(latents).all()
    assert latents.mean((0, 2, 3, 4)).abs().max() < 0.1
    assert (latents.std((0, 2, 3, 4)) - 1).abs().max() < 0.15


def test_the_outline_is_that_of_a_head(drawn):
    """Overlap of the mean outline with MNI152's, both about their own middle."""
    mask = mni152_mask()[::2, ::2, ::2]
    ours = np.mean([v.voxels > 0.1 for v in drawn], axis=0) > 0.5
    assert dice(centred(mask), centred(ours)) > 0.75  # the average head is larger than most


def centred(mask, shape=(96, 112, 96)):
    where = np.argwhere(mask)
    shifted = where - where.mean(0).round().astype(int) + np.array(shape) // 2
    out = np.zeros(shape, bool)
    out[tuple(shifted.T)] = True
    return out


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())
