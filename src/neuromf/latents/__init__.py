"""Latents on disk: shards and their index, statistics, the dataset that training reads."""

from neuromf.latents.dataset import LatentAugmentation, LatentDataset
from neuromf.latents.shard import StoreError
from neuromf.latents.statistics import LatentStats
from neuromf.latents.store import LatentEntry, LatentStore

__all__ = [
    "LatentAugmentation",
    "LatentDataset",
    "LatentEntry",
    "LatentStats",
    "LatentStore",
    "StoreError",
]
