"""Which batches of a training fit into memory, and which of them to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from neuromf.training.config import TrainConfig
from neuromf.training.memory import step_memory

HEADROOM = 0.9  # of the memory: drivers and fragments take the rest


@dataclass(frozen=True)
class Sizing:
    """The memory of a step in GB, with or without checkpointing: fixed, and for each latent."""

    checkpointing: bool
    fixed_gb: float
    each_gb: float
    decoding_gb: float = 0.0  # of a sample, between steps

    @classmethod
    def of(
        cls,
        parameters: int,
        config: TrainConfig,
        shape: tuple[int, ...],
        *,
        checkpointing: bool,
        decoding_gb: float = 0.0,
    ) -> Sizing:
        """Estimate a step on latents of a shape (C, D, H, W)."""
        network = replace(config.network, checkpointing=checkpointing)
        fixed, each = step_memory(parameters, replace(config, network=network), shape)
        return cls(checkpointing, fixed, each, decoding_gb)

    def needs(self, batch: int) -> float:
        """Return the memory of a training with so many latents at once."""
        return self.fixed_gb + max(batch * self.each_gb, self.decoding_gb)

    def largest(self, memory_gb: float) -> int:
        """Return the largest batch that fits into a memory, 0 where none does."""
        room = HEADROOM * memory_gb - self.fixed_gb
        return 0 if room < self.decoding_gb else max(0, int(room / self.each_gb))


@dataclass(frozen=True)
class Proposal:
    """A batch that fits, and how many such batches make an update."""

    batch: int
    accumulate: int
    checkpointing: bool

    @property
    def words(self) -> str:
        """The keys of `neuromf train` that set it."""
        checkpointing = str(self.checkpointing).lower()
        return (
            f"batch={self.batch} accumulate={self.accumulate} network.checkpointing={checkpointing}"
        )


def propose(sizings: Sequence[Sizing], latents: int, memory_gb: float) -> Proposal | None:
    """Return the largest batch that fits and divides the `latents` of an update, None where not
    even one latent fits.

    Checkpointing takes a quarter more time (docs/performance.md) and is proposed only where fewer
    than two latents fit without it: a single latent at once is slow on most machines.
    """
    best = None
    for sizing in sorted(sizings, key=lambda s: s.checkpointing):
        most = min(latents, sizing.largest(memory_gb))
        batch = max((n for n in range(1, most + 1) if latents % n == 0), default=0)
        if batch and (best is None or best.batch == 1 < batch):
            best = Proposal(batch, latents // batch, sizing.checkpointing)
    return best
