"""The Gaussian of a store: that of its normalised training latents, and of no others."""

import torch

from neuromf.flow.gaussian import GaussianFlow
from neuromf.latents import LatentAugmentation, LatentDataset, LatentStore
from neuromf.latents.gaussian import Latents, latent_gaussian
from neuromf.latents.statistics import latent_statistics


def training_of(folder):
    store = LatentStore(folder)
    return LatentDataset(store, "train", latent_statistics(store))


def test_it_is_of_the_training_latents(store_folder):
    plain = training_of(store_folder)
    changed = LatentAugmentation(flip=True, noise=1.0)
    training = LatentDataset(plain.store, "train", plain.stats, augmentation=changed)
    found = latent_gaussian(training)
    expected = GaussianFlow.fit([plain[i].latent for i in range(len(plain))])
    for name, value in found.state_dict().items():
        assert torch.equal(value, expected.state_dict()[name])


def test_of_many_an_even_part_is_taken(store_folder):
    training = training_of(store_folder)
    found = Latents(training, most=4)
    assert len(found) == 4
    for latent, i in zip(found, (0, 2, 4, 6), strict=True):
        assert torch.equal(latent, training[i].latent)
    assert len(Latents(training)) == len(training) == 8
