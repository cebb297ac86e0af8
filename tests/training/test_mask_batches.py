from dataclasses import replace

import torch

from neuromf.autoencoder.mask_autoencoder import MaskAutoencoderConfig
from neuromf.training.mask_batches import MaskBatches, held_out_shapes
from neuromf.training.mask_config import TrainMaskAutoencoderConfig

CONFIG = TrainMaskAutoencoderConfig(
    network=MaskAutoencoderConfig(channels=3), updates=5, batch=2, patch=16, check_masks=6
)


def test_a_batch_is_a_function_of_seed_and_number():
    batches = MaskBatches(CONFIG)
    (later,), (first,) = batches[3], batches[0]
    (again,) = MaskBatches(CONFIG)[3]
    assert torch.equal(later.x, again.x)
    assert torch.equal(later.noise, again.noise)
    assert not torch.equal(later.noise, first.noise)
    assert len(batches) == 5


def test_shapes_of_a_batch():
    (batch,) = MaskBatches(CONFIG)[0]
    assert batch.x.shape == (2, 1, 16, 16, 16)
    assert batch.noise.shape == (2, 3, 4, 4, 4)
    assert set(batch.x.unique().tolist()) <= {0.0, 1.0}


def test_held_out_shapes_are_never_trained_on_and_never_empty():
    held_out = held_out_shapes(CONFIG)
    assert 0 < len(held_out) <= 6
    assert held_out.flatten(1).any(1).all()
    trained = torch.cat([MaskBatches(CONFIG)[i][0].x for i in range(5)])
    assert not any(torch.equal(a, b) for a in held_out for b in trained)


def test_of_a_single_held_out_shape_the_first_that_is_not_empty_is_taken():
    for seed in range(17, 35):
        alone = held_out_shapes(replace(CONFIG, seed=seed, check_masks=1))
        assert alone.shape == (1, 1, 16, 16, 16)
        assert alone.any()


def test_a_seed_may_be_a_date_and_time():
    (batch,) = MaskBatches(replace(CONFIG, seed=20250131235959))[0]
    assert batch.noise.isfinite().all()
