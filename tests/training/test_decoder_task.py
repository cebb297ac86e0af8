"""The loss of a decoder is the sum of its parts, and its spectral part asks for the volumes' energy."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from neuromf.autoencoder.decoder import new_decoder
from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.autoencoder.small import gradient_l1
from neuromf.training.decoder_config import TrainDecoderConfig
from neuromf.training.decoder_task import DecoderTask, detail
from neuromf.training.latent_patches import DecoderBatch
from support import TINY_DECODER, randomised, tiny_vae_network

CONFIG = TrainDecoderConfig(patch=16, gradient=0.5, spectrum=0.01)
STD = torch.tensor([1.0, 2.0, 0.5, 0.1])
VAE = FrozenVAE(tiny_vae_network(), "tiny")


def batch(inside=((0, 16),) * 3):
    generator = torch.Generator().manual_seed(0)
    z, noise = torch.randn(2, 2, 4, 4, 4, 4, generator=generator)
    x = torch.rand(2, 1, 16, 16, 16, generator=generator)
    return DecoderBatch(z, noise, x, torch.tensor([inside, inside]))


def decoder():
    return randomised(new_decoder(TINY_DECODER, 4, seed=0))


def test_the_loss_is_the_sum_of_its_parts():
    network, b = decoder(), batch()
    task = DecoderTask(network, CONFIG, STD, VAE)
    loss, sums = task.loss(b)
    found = task.means(sums.tolist())

    noisy = b.z + b.noise * STD.view(4, 1, 1, 1)
    torch.testing.assert_close(
        torch.tensor(found["l1"]).float(), F.l1_loss(network(noisy), b.x).detach()
    )
    total = found["l1"] + 0.5 * found["gradient"] + 0.01 * found["spectrum"]
    torch.testing.assert_close(loss.item(), total, rtol=1e-5, atol=1e-7)
    assert task.means((2 * sums).tolist()) == pytest.approx(found)


def test_a_teacher_is_a_second_target():
    network, b = decoder(), batch()
    alone = DecoderTask(network, CONFIG, STD, VAE).loss(b)[0]
    task = DecoderTask(network, replace(CONFIG, teacher=2.0), STD, VAE)
    loss, sums = task.loss(b)
    found = task.means(sums.tolist())

    y = network(b.z + b.noise * STD.view(4, 1, 1, 1))
    target = VAE.decode(b.z).clamp(0, 1)  # of the latents without noise
    expected = (F.l1_loss(y, target) + 0.5 * gradient_l1(y, target)).item()
    assert found["teacher"] == pytest.approx(expected, rel=1e-5)
    assert loss.item() == pytest.approx(alone.item() + 2 * expected, rel=1e-5)


def test_what_lies_outside_does_not_count():
    b = batch(((4, 16), (0, 16), (0, 12)))
    task = DecoderTask(decoder(), CONFIG, STD, VAE)
    changed = b.x.clone()
    changed[:, :, :4] = 0
    changed[..., 12:] = 0
    one, other = (task.means(task.loss(b._replace(x=x))[1].tolist()) for x in (b.x, changed))
    assert one["l1"] == other["l1"]
    assert one["gradient"] == other["gradient"]


def test_half_the_amplitude_is_a_quarter_of_the_energy():
    x, inside = 10 * torch.rand(2, 1, 16, 16, 16), torch.tensor([[[0, 16]] * 3] * 2)
    unlike, ratio = detail(0.5 * x, x, inside)
    assert ratio.item() == pytest.approx(0.25)
    assert unlike.item() == pytest.approx(math.log(0.25) ** 2, rel=1e-3)
    changed = x.clone()
    changed[..., :4] *= 3  # what the loss does not look at
    inside[:, 2, 0] = 4
    assert detail(changed, x, inside)[0].item() == pytest.approx(0, abs=1e-6)


def test_detail_in_the_wrong_place_does_not_make_up():
    """The same energy altogether, but of the first half twice as much and of the second little."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 1, 32, 16, 16, generator=generator)
    inside = torch.tensor([[[0, 32], [0, 16], [0, 16]]])
    moved = torch.cat([x[:, :, :16] * 1.4, x[:, :, 16:] * 0.2], 2)
    unlike, ratio = detail(moved, x, inside)
    assert ratio.item() == pytest.approx(1, abs=0.1)
    assert unlike > 1


def test_background_counts_as_equal():
    faint, inside = 1e-3 * torch.rand(1, 1, 16, 16, 16), torch.tensor([[[0, 16]] * 3])
    assert detail(faint, torch.zeros_like(faint), inside)[0] < 1e-4
