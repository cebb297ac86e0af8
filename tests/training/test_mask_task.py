import pytest
import torch

from neuromf.autoencoder.mask_autoencoder import MaskAutoencoderConfig, new_mask_autoencoder
from neuromf.training.mask_batches import MaskBatch
from neuromf.training.mask_config import TrainMaskAutoencoderConfig
from neuromf.training.mask_task import MaskTask, border_entropy, soft_dice
from support import randomised


def cube(side=4):
    mask = torch.zeros(2, 1, 16, 16, 16)
    mask[:, :, 6 : 6 + side, 6 : 6 + side, 6 : 6 + side] = 1
    return mask


def test_borders_weigh_more():
    mask, far = cube(), 0.1
    at_border, far_away = -20 * torch.ones_like(mask), -20 * torch.ones_like(mask)
    at_border[mask == 1] = far_away[mask == 1] = 20
    at_border[:, :, 5, 6, 6] = 0  # one voxel of doubt
    far_away[:, :, 0, 0, 0] = 0
    ratio = border_entropy(at_border, mask, far) / border_entropy(far_away, mask, far)
    assert ratio == pytest.approx((1 + far) / far, rel=1e-3)


def test_dice_is_one_for_what_is_right_and_for_nothing():
    mask, nothing = cube(), torch.zeros(1, 1, 8, 8, 8)
    assert soft_dice(mask, mask) == 1
    assert soft_dice(nothing, nothing) == 1
    assert soft_dice(1 - mask, mask) < 0.01


def test_a_speck_counts_as_much_as_a_large_lesion():
    large, speck = cube(10)[:1], cube(2)[:1]
    lost = torch.zeros_like(large)
    assert soft_dice(torch.cat([large, lost]), torch.cat([large, speck])) == pytest.approx(
        0.5, abs=0.06
    )
    assert soft_dice(torch.cat([lost, speck]), torch.cat([large, speck])) == pytest.approx(
        0.5, abs=0.06
    )


def test_the_loss_reaches_every_weight_and_sees_the_noise():
    config = TrainMaskAutoencoderConfig(network=MaskAutoencoderConfig(channels=2, width=8))
    task = MaskTask(randomised(new_mask_autoencoder(config.network, 0)), config)
    noise = torch.randn(2, 2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    loss, sums = task.loss(MaskBatch(cube(), noise))
    loss.backward()
    assert all(p.grad.any() for p in task.network.parameters())
    assert task.loss(MaskBatch(cube(), 0 * noise))[0] != loss

    means = task.means([*(2 * sums).tolist()[:3], 2.0])
    assert set(means) == {"entropy", "dice", "latent"}
    assert float(loss.detach()) == pytest.approx(means["entropy"] + 1 - means["dice"], rel=1e-5)
