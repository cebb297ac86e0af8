"""A batch is a function of seed and number: epochs, exact shares over ranks and accumulation, independence of workers."""

from dataclasses import replace

import pytest
import torch

from neuromf.flow import Ramp, TimeSampler
from neuromf.latents.dataset import LatentDataset
from neuromf.latents.store import LatentStore
from neuromf.training.batches import Batches, loader
from training.support import tiny_config


@pytest.fixture
def latents(store):
    return LatentDataset(LatentStore(store))


def equal(a, b):
    names = ("x", "noise", "t", "r")
    return all(torch.equal(getattr(a, n), getattr(b, n)) for n in names)


def test_a_batch_is_the_same_whenever_it_is_asked_for(store, latents):
    config = tiny_config(store, updates=30)
    batches = Batches(latents, config)
    (seventh,) = batches[7]
    assert equal(Batches(latents, config)[7][0], seventh)
    assert not equal(Batches(latents, replace(config, seed=1))[7][0], seventh)
    assert equal(next(iter(loader(batches, 7)))[0], seventh)
    assert equal(
        next(iter(loader(Batches(latents, replace(config, num_workers=1)), 7)))[0], seventh
    )


def test_a_mask_leaves_its_share_out_and_changes_nothing_else(store, latents):
    plain = Batches(latents, tiny_config(store, batch=3, updates=30))[7][0]
    assert plain.mask is None
    config = tiny_config(store, batch=3, updates=30, masked_share=0.25)
    (masked,) = Batches(latents, config)[7]
    assert equal(masked, plain)
    assert masked.mask.shape == (3, 1, *plain.x.shape[2:])  # one for all channels
    assert set(masked.mask.unique().tolist()) == {0.0, 1.0}
    assert masked.mask.mean() == pytest.approx(0.75, abs=0.05)
    assert torch.equal(Batches(latents, config)[7][0].mask, masked.mask)
    assert not torch.equal(Batches(latents, config)[8][0].mask, masked.mask)


def test_an_epoch_sees_every_latent_once(store, latents):
    """18 latents in global batches of 2 ranks x 3: three updates an epoch."""
    config = tiny_config(store, batch=3, updates=6)
    ranks = [Batches(latents, config, rank, 2) for rank in (0, 1)]
    every = {tuple(latents[i].latent.flatten()[:3].tolist()) for i in range(len(latents))}
    for epoch in (0, 1):
        seen = [
            tuple(x.flatten()[:3].tolist())
            for update in range(3)
            for b in ranks
            for x in b[3 * epoch + update][0].x
        ]
        assert len(seen) == 18
        assert set(seen) == every
    first, second = (
        torch.cat([ranks[0][3 * epoch + u][0].x for u in range(3)]) for epoch in (0, 1)
    )
    assert not torch.equal(first, second)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_shares_are_exact_over_ranks_and_accumulation(store, latents, share):
    config = tiny_config(store, batch=1, accumulate=2, times=TimeSampler(equal_fraction=share))
    for update in range(4):
        parts = [batch for rank in range(4) for batch in Batches(latents, config, rank, 4)[update]]
        assert sum(int((b.t == b.r).sum()) for b in parts) == 8 * share
        assert len({b.noise.flatten()[0].item() for b in parts}) == 8


def test_ranks_and_accumulation_deal_the_same_global_batch(store, latents):
    """Two ranks, or one that accumulates twice: the same latents, noise and times."""
    two = tiny_config(store)
    one = replace(two, accumulate=2)
    for part in (0, 1):
        assert equal(Batches(latents, two, part, 2)[3][0], Batches(latents, one)[3][part])


def test_latents_are_scaled_on_the_path(store, latents):
    plain, scaled = tiny_config(store), tiny_config(store, latent_scale=0.25)
    assert torch.equal(Batches(latents, scaled)[1][0].x, 0.25 * Batches(latents, plain)[1][0].x)
    assert torch.equal(Batches(latents, scaled)[1][0].noise, Batches(latents, plain)[1][0].noise)


def test_the_share_of_equal_rows_follows_its_ramp(store, latents):
    config = tiny_config(store, updates=10, batch=4, equal_fraction=Ramp(1.0, 0.5, 0.2, 0.8))
    shares = [
        float((b.t == b.r).float().mean())
        for b in (Batches(latents, config)[i][0] for i in range(10))
    ]
    assert shares[:2] == [1, 1]
    assert shares[-2:] == [0.5, 0.5]
    limited = tiny_config(store, updates=10, batch=4, max_interval=Ramp(0.0, 1.0, 0.5, 1.0))
    early = Batches(latents, limited)[2][0]
    assert torch.equal(early.t, early.r)
