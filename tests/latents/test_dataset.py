import pytest
import torch
from torch.utils.data import DataLoader

from neuromf.autoencoder.components import image_of
from neuromf.latents import LatentAugmentation, LatentDataset, LatentStore, StoreError
from neuromf.latents.statistics import latent_statistics
from support import LATENT_SHAPE as SHAPE
from support import STORE_VAE as VAE


@pytest.fixture(scope="module")
def store(store_folder):
    return LatentStore(store_folder)


@pytest.fixture(scope="module")
def stats(store):
    return latent_statistics(store)


def test_shape_type_order(store, stats):
    dataset = LatentDataset(store, "train", stats)
    assert len(dataset) == 8
    for position in range(8):
        item = dataset[position]
        assert item.latent.shape == SHAPE
        assert item.latent.dtype == torch.float32
        assert item.name == store.entries[item.place].name == f"s{position:02d}"
        torch.testing.assert_close(item.latent, stats.normalise(store[position]))


def test_collated_by_a_loader(store, stats):
    batch = next(iter(DataLoader(LatentDataset(store, "train", stats), batch_size=4)))
    assert batch.latent.shape == (4, *SHAPE)
    assert batch.name == ("s00", "s01", "s02", "s03") or list(batch.name) == [
        "s00",
        "s01",
        "s02",
        "s03",
    ]


def test_augmentation_is_off_by_default():
    assert not LatentAugmentation().active
    z = torch.randn(SHAPE)
    assert LatentAugmentation()(z, torch.Generator()) is z


def test_flip_is_left_and_right():
    z = torch.randn(SHAPE)
    out = [LatentAugmentation(flip=True)(z, torch.Generator().manual_seed(s)) for s in range(40)]
    flipped = sum(torch.equal(o, z.flip(1)) for o in out)
    assert flipped + sum(torch.equal(o, z) for o in out) == 40
    assert 8 < flipped < 32


def test_noise_and_scale():
    z = torch.ones(4, 20, 20, 20)
    noisy = LatentAugmentation(noise=0.05)(z, torch.Generator().manual_seed(0))
    assert (noisy - z).std() == pytest.approx(0.05, rel=0.02)
    sizes = [
        float(LatentAugmentation(scale=0.05)(z, torch.Generator().manual_seed(s)).mean())
        for s in range(200)
    ]
    assert 0.95 <= min(sizes) < 0.96
    assert 1.04 < max(sizes) <= 1.05


def test_augmented_items_depend_on_seed_epoch_and_index_alone(store, stats):
    augmentation = LatentAugmentation(flip=True, noise=0.1)
    one, two = (LatentDataset(store, "train", stats, augmentation, seed=3) for _ in range(2))
    loader = DataLoader(two, batch_size=None, num_workers=2, multiprocessing_context="fork")
    for position, item in reversed(list(enumerate(loader))):
        assert torch.equal(item.latent, one[position].latent)
    one.epoch = 1
    assert not torch.equal(one[0].latent, two[0].latent)


def test_refusals(store, stats, tmp_path):
    from dataclasses import replace

    from neuromf.latents.store import LatentEntry, write_index, write_shard

    with pytest.raises(StoreError, match="no latent in the split 'none'"):
        LatentDataset(store, "none", stats)
    with pytest.raises(StoreError, match="statistics are of latents"):
        LatentDataset(store, "train", replace(stats, shape=(4, 9, 9, 9)))
    with pytest.raises(ValueError, match="scale below 1"):
        LatentAugmentation(scale=1.0)
    spoilt = torch.zeros(SHAPE)
    spoilt[0, 0, 0, 0] = float("nan")
    entries = write_shard(
        tmp_path,
        "shard-00000",
        image_of(VAE),
        [(LatentEntry("bad", "bad", "train", "shard-00000"), spoilt, None)],
    )
    write_index(tmp_path, image_of(VAE), SHAPE, entries, sigma=False)
    with pytest.raises(StoreError, match="latent bad holds NaN"):
        LatentDataset(LatentStore(tmp_path), "train", stats)[0]
