"""What the observers of a run are made of."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import torch

from neuromf.autoencoder.frozen import FrozenVAE, check_space
from neuromf.autoencoder.load import decodes, load_vae
from neuromf.training.bar import Bar
from neuromf.training.config import TrainConfig
from neuromf.training.data import Data
from neuromf.training.log import Log
from neuromf.training.ranks import note, rank
from neuromf.training.saver import Saver
from neuromf.training.teacher import Teacher

DECODE_GB = 4.0  # memory that decoding a sample to look at may take


@dataclass(frozen=True)
class Watched:
    """What the observers of a run are given. Each makes its callbacks from it, or none if it has
    nothing to do.
    """

    config: TrainConfig
    data: Data
    out: Path
    log: Log
    bar: Bar
    saver: Saver
    device: torch.device
    teacher: Teacher | None = None

    @functools.cached_property
    def vae(self) -> FrozenVAE | None:
        """The VAE that samples are decoded with, in the first process; None if it is not available,
        which does not stop a training. It stays on the CPU, and is moved to the device for each
        decoding (`FrozenVAE.on`). Raises ValueError if it was named and does not fit.
        """
        if rank() != 0:
            return None
        config, wanted = self.config, self.data.store.vae
        try:
            vae = load_vae(config.vae or decodes(wanted.name), "cpu", config.precision)
            check_space(vae, wanted, "the latents were made with", "encode again, or name that VAE")
        except (ValueError, OSError) as error:
            if config.vae:
                raise
            note(f"pictures show latents, not brains: {error}")
            return None

        return vae

    @property
    def epoch(self) -> int:
        """Updates in which every latent is seen once."""
        c = self.config
        return -(-len(self.data.train) // (c.batch * c.accumulate * c.devices * c.nodes))
