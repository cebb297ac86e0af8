from dataclasses import replace

import pytest
import torch

from evaluation.support import lesion_pair
from neuromf.evaluation.lesion_segmentation import (
    SegmentationConfig,
    augmented,
    draw_batch,
    draw_patch,
    segment,
    train,
)
from neuromf.evaluation.mask_overlap import dice
from neuromf.runtime.randomness import Purpose, generator

CPU = torch.device("cpu")
SMALL = SegmentationConfig(updates=60, patch=16, device="cpu")


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def chance(seed=0):
    return generator(Purpose.SEGMENTATION, seed, 7)


def test_it_learns_what_a_lesion_is():
    pairs = [lesion_pair(str(seed), seed=seed) for seed in range(3)]
    network = train([pairs], SMALL, (0, 0), CPU)
    unseen = lesion_pair("unseen", seed=9)
    assert dice(segment(network, unseen, SMALL.patch), unseen.lesion.numpy()) > 0.5


def test_a_training_is_a_function_of_its_stream_alone():
    pairs, short = [lesion_pair()], replace(SMALL, updates=2)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = weights(train([pairs], short, (0, 0), CPU))
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    assert torch.equal(first, weights(train([pairs], short, (0, 0), CPU)))
    for other in ((1, 0), (0, 1)):
        assert not torch.equal(first, weights(train([pairs], short, other, CPU)))


def test_sources_contribute_equally_whatever_their_numbers():
    none = torch.zeros(24, 24, 24, dtype=torch.bool)
    few = [replace(lesion_pair(), lesion=~none)]
    many = [replace(lesion_pair(), lesion=none)] * 9
    _, y = draw_batch([few, many], replace(SMALL, batch=200), chance())
    assert y.shape == (200, 1, 16, 16, 16)
    assert 0.38 < y.mean() < 0.62


def test_patches_lie_around_lesions_and_elsewhere():
    one = torch.zeros(24, 24, 24, dtype=torch.bool)
    one[4, 12, 19] = True  # near two faces: the patch stays inside
    pair, stream = lesion_pair(lesion=one), chance()
    seen = [draw_patch(pair, 8, stream) for _ in range(200)]
    assert {tuple(part.shape) for parts in seen for part in parts} == {(8, 8, 8)}
    assert 0.6 < sum(bool(lesion.any()) for _, lesion, _ in seen) / 200 < 0.9

    empty = lesion_pair(lesion=torch.zeros_like(one))
    assert not any(draw_patch(empty, 8, stream)[1].any() for _ in range(20))


def test_augmentation_keeps_image_and_mask_together():
    pair, stream = lesion_pair(), chance()
    flipped = 0
    for _ in range(40):
        image, lesion = augmented(pair.image.float(), pair.lesion.float(), pair.brain, stream)
        is_flipped = torch.equal(lesion, pair.lesion.float().flip(0))
        assert is_flipped or torch.equal(lesion, pair.lesion.float())
        assert image[lesion > 0].mean() > image.mean() + 1
        outside = ~(pair.brain.flip(0) if is_flipped else pair.brain)
        assert not image[outside].any()
        flipped += is_flipped
    assert 8 < flipped < 32


def test_nothing_is_found_outside_the_brain():
    class Everything(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(()))

        def forward(self, x):
            return torch.ones_like(x) * self.weight

    pair = lesion_pair()
    assert (segment(Everything(), pair, 16) == pair.brain.numpy()).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"updates": 0}, "updates and batch are 1 or more"),
        ({"batch": 0}, "updates and batch are 1 or more"),
        ({"lr": float("nan")}, "lr between 0 and 1"),
        ({"patch": 18}, "a multiple of 4 voxels, 8 or more"),
        ({"patch": 4}, "a multiple of 4 voxels, 8 or more"),
    ],
)
def test_settings_that_train_nothing_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        SegmentationConfig(**change)
