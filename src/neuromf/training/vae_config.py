"""What the small VAE is trained on, and how."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from neuromf.autoencoder.small import SmallVAEConfig
from neuromf.flow import Ramp
from neuromf.runtime.device import Precision
from neuromf.runtime.fields import key
from neuromf.training.optimiser import Optimiser


@dataclass(frozen=True)
class TrainVAEConfig:
    """What the small VAE is trained on, and how."""

    volumes: Any = ""  # folders that prepare or phantom wrote; each is drawn from equally often
    network: SmallVAEConfig = field(default_factory=SmallVAEConfig)
    name: str = ""  # the folder's, if empty
    updates: int = 4000
    batch: int = 4
    patch: int = 48  # voxels per side
    lr: float = 1e-3
    warmup: int = 100  # updates
    gradient: float = 0.5  # weight of the L1 distance of finite differences
    kl: float = 1e-4  # weight of the KL divergence, nats an element of the latent
    ema: float = 0.999
    clip: float = 1.0  # norm of the gradient
    precision: Precision = "float32"
    device: str = "auto"  # auto, cpu, mps, cuda, cuda:1
    log_every: int = 10  # updates
    check_every: int = 250  # updates between checkpoints and looks at held-out volumes
    check_volumes: int = 8
    num_workers: int = key(0, formerly="loaders", free=True)  # processes that read
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("updates", "batch", "check_every", "check_volumes", "log_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: 1 or more")

        if self.patch % 4 or self.patch < 16:
            raise ValueError(f"patch is {self.patch}: a multiple of 4, 16 or more")
        if not (
            0 < self.lr < math.inf and 0 <= self.gradient < math.inf and 0 <= self.kl < math.inf
        ):
            raise ValueError(
                f"lr {self.lr}, gradient {self.gradient}, kl "
                f"{self.kl}: lr above 0, weights not negative"
            )
        if (
            not (0 <= self.ema < 1 and self.clip > 0)
            or min(self.warmup, self.num_workers, self.seed) < 0
        ):
            raise ValueError(
                f"ema {self.ema}, clip {self.clip}, warmup {self.warmup}, num_workers "
                f"{self.num_workers}, seed {self.seed}: ema in [0, "
                "1), clip above 0, the others not negative"
            )

    @property
    def optimiser(self) -> Optimiser:
        """AdamW with a linear warm-up, then a cosine down to a hundredth."""
        begin = min(self.warmup / self.updates, 1.0)
        decay = Ramp(1.0, 0.01, begin, 1.0, "cosine")
        return Optimiser(self.lr, clip=self.clip, warmup=self.warmup, decay=decay)
