"""The generator: one seed a sample, the sampler's own result, placed in the scanner."""

import nibabel as nib
import numpy as np
import pytest
import torch
from scipy import stats

import neuromf
from generation.support import SHAPE
from neuromf.data.volume import centred_affine
from neuromf.flow import sample
from neuromf.generation.generator import Generator, noise_of
from neuromf.generation.model import load_model


@pytest.fixture(scope="module")
def generator(model_folder):
    return neuromf.load(model_folder, device="cpu")


def test_one_call_is_the_network_at_noise(generator):
    model = generator.model
    noise = noise_of(SHAPE, 5, 0)
    expected = model.config.stats.denormalise(
        2 * model.network(noise, torch.ones(1), torch.zeros(1))
    )
    torch.testing.assert_close(generator.latent(5), expected)


@pytest.mark.parametrize("nfe", [2, 5])
def test_more_calls_are_the_samplers(generator, nfe):
    model = generator.model
    expected = sample(model.network, noise_of(SHAPE, 0, 3), nfe, predict="x")
    torch.testing.assert_close(
        generator.latent(0, nfe, seed=3), model.config.stats.denormalise(2 * expected)
    )
    assert not torch.equal(generator.latent(0, 1, seed=3), generator.latent(0, nfe, seed=3))


def test_calls_are_counted(generator, monkeypatch):
    calls = []
    network = type(generator.model.network)
    forward = network.without_head
    monkeypatch.setattr(network, "without_head", lambda *a: calls.append(a[2]) or forward(*a))
    generator.latent(0, 5)
    assert [float(t) for t in calls] == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])


def test_a_sample_is_the_same_whatever_else_is_drawn(generator):
    alone = next(generator.draw([17], seed=2))
    among = {d.number: d for d in generator.draw(range(15, 19), seed=2)}[17]
    assert torch.equal(alone.latent, among.latent)
    assert np.array_equal(alone.volume.voxels, among.volume.voxels)


def test_noise():
    values = torch.cat([noise_of(SHAPE, i, 0).flatten() for i in range(50)]).numpy()
    assert stats.kstest(values, "norm").pvalue > 0.01
    assert not torch.equal(noise_of(SHAPE, 0, 1), noise_of(SHAPE, 1, 0))


def test_volumes_lie_in_the_middle_of_ras_space(generator):
    volume = generator.generate(1)[0]
    assert volume.voxels.shape == (16, 24, 16)
    assert volume.spacing == pytest.approx((6.0, 6.0, 5.0))
    assert nib.aff2axcodes(volume.affine) == ("R", "A", "S")
    corners = np.array([volume.affine @ [*c, 1] for c in ((0, 0, 0), (15, 23, 15))])[:, :3]
    assert corners.mean(0) == pytest.approx([0, 0, 0])
    assert 0 <= volume.voxels.min() <= volume.voxels.max() <= 1
    assert volume.voxels[volume.voxels > 0].min() >= 0.02
    assert centred_affine((3, 3, 3), (2, 2, 2))[:3, 3] == pytest.approx([-2, -2, -2])


def test_bf16_is_close(model_folder, generator):
    half = Generator(load_model(model_folder), "cpu", "bfloat16")
    a, b = half.latent(0), generator.latent(0)
    assert 0 < (a - b).norm() / b.norm() < 0.05


@pytest.mark.parametrize(("arguments", "said"), [((0,), "n is 0"), ((1, 0), "nfe is 0")])
def test_refused(generator, arguments, said):
    with pytest.raises(ValueError, match=said):
        generator.generate(*arguments)
