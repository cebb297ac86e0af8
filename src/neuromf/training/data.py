"""The latents that a training reads, checked against its network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from torch import Tensor

from neuromf.flow.network import Condition
from neuromf.generation.model import Model, ModelConfig, read_config
from neuromf.latents.dataset import LatentDataset
from neuromf.latents.shard import StoreError
from neuromf.latents.statistics import LatentStats
from neuromf.latents.store import LatentStore
from neuromf.nets import UNetConfig
from neuromf.nets.variables import UNCONDITIONAL
from neuromf.training.adapt import base_model, joined_statistics
from neuromf.training.checkpoint import Origin
from neuromf.training.conditions import Known
from neuromf.training.config import TrainConfig


@dataclass(frozen=True)
class Data:
    """What is trained on."""

    store: LatentStore
    train: LatentDataset
    held_out: LatentDataset | None  # where the split has one
    known: Known  # the conditions
    base: Model | None = None  # the model that is adapted

    @classmethod
    def read(cls, config: TrainConfig) -> Data:
        """Open a latent store. Raises StoreError where it does not fit the network, or holds no
        training latent.
        """
        if not config.latents:
            raise StoreError("latents= names no folder: give one that `neuromf encode` wrote")
        store = LatentStore(config.latents)
        check_size(config.latents, store.shape, config.network)
        base = base_model(config, store.components)
        before = taken_over(config, base)
        stats = LatentStats.load(store.location)
        if before is not None:
            stats = joined_statistics(stats, before.stats)
        train = LatentDataset(store, "train", stats, config.augmentation, config.seed)
        held_out = LatentDataset(store, "val", train.stats) if store.split("val") else None
        conditions = UNCONDITIONAL if before is None else before.conditions
        return cls(store, train, held_out, Known.read(config, store, conditions), base)

    def warnings(self) -> list[str]:
        """Return what is known to go wrong with these latents and conditions."""
        said = []
        if self.train.stats.subjects == 1:
            said.append(
                "the training split holds one subject: the network will learn that brain by heart"
            )
        for name in self.known.silent(self.train.indices):
            said.append(
                f"no training latent has a value for {name}, so the network cannot learn it: give "
                f"table=FILE with a column {name}"
            )
        return said

    def plain(self) -> Iterable[Tensor]:
        """Return the normalised training latents (C, D, H, W), without augmentation; they can be
        gone through several times.
        """
        return Plain(LatentDataset(self.store, "train", self.train.stats))

    def condition(self, n: int) -> Condition | None:
        """Return conditions for n samples to look at: those of the first training latents, again
        from the first where there are fewer.
        """
        indices = self.train.indices
        return self.known.of([indices[i % len(indices)] for i in range(n)])

    @property
    def origin(self) -> Origin:
        """What a model folder, and a resumed run, have to know of the latents."""
        store = self.store
        return Origin(
            store.components,
            self.train.stats,
            store.spacing,
            store.sha256,
            self.known.conditions,
            self.known.sha256,
            "" if self.base is None else self.base.sha256,
            0 if self.base is None else self.base.config.shape[0],
            ", ".join(simulated_lesions(store)),
        )


def taken_over(config: TrainConfig, base: Model | None) -> ModelConfig | None:
    """Return the model whose normalisation and conditions a run takes over: the one that is
    adapted, or the teacher.
    """
    if base is not None:
        return base.config
    return read_config(config.teacher) if config.teacher else None


def simulated_lesions(store: LatentStore) -> list[str]:
    """Return the kinds of simulated lesions that the training latents of a store hold."""
    kinds = {store.entries[i].lesion_kind for i in store.split("train")}
    return sorted(kind for kind in kinds if kind)


class Plain:
    """The latents of a dataset alone."""

    def __init__(self, latents: LatentDataset) -> None:
        self.latents = latents

    def __iter__(self) -> Iterator[Tensor]:
        return (self.latents[i].latent for i in range(len(self.latents)))


def check_size(where: str, shape: tuple[int, ...], network: UNetConfig) -> None:
    """Raise StoreError where latents (C, D, H, W) do not fit a network."""
    channels, *sizes = shape
    if channels != network.latent_channels:
        raise StoreError(
            f"{where} holds latents of {channels} channels, the network takes "
            f"{network.latent_channels}: set network.latent_channels={channels}"
        )
    if any(n % network.divisor for n in sizes):
        raise StoreError(
            f"{where} holds latents of size {tuple(sizes)}, a network of "
            f"{len(network.channels)} levels takes multiples of {network.divisor}: use fewer "
            "levels (network.channels, attention, attention_head_channels), or prepare volumes of "
            "another shape"
        )
