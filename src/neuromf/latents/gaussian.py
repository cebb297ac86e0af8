"""The Gaussian of a store's training latents: mean image and power spectrum, which is what a
linear filter knows of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from neuromf.flow.gaussian import GaussianFlow
from neuromf.latents.dataset import LatentDataset

MOST = 1000  # latents that are gone through, evenly spaced: a spectrum needs no more


class Latents:
    """The normalised latents (C, D, H, W) of a dataset, at most `most` of them, evenly spaced; read
    anew each time one goes through them, without augmentation.
    """

    def __init__(self, dataset: LatentDataset, most: int = MOST) -> None:
        self.dataset, self.count = dataset, min(len(dataset), most)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Tensor]:
        indices, stats = self.dataset.indices, self.dataset.stats
        for i in range(self.count):
            index = indices[i * len(indices) // self.count]
            yield stats.normalise(self.dataset.store[index])


def latent_gaussian(training: LatentDataset, most: int = MOST) -> GaussianFlow:
    """Return the Gaussian of normalised training latents. Raises ValueError where there are fewer
    than two.
    """
    return GaussianFlow.fit(Latents(training, most))
