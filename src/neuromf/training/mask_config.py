"""How a mask autoencoder is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from neuromf.autoencoder.mask_autoencoder import FACTOR, MaskAutoencoderConfig
from neuromf.flow import Ramp
from neuromf.runtime.device import Precision
from neuromf.runtime.fields import key
from neuromf.training.optimiser import Optimiser


@dataclass(frozen=True)
class TrainMaskAutoencoderConfig:
    """How a mask autoencoder is trained."""

    network: MaskAutoencoderConfig = field(default_factory=MaskAutoencoderConfig)
    name: str = ""  # the folder's, if empty
    updates: int = key(3000, free=True)  # a resumed run with fewer ends with the decay of lr
    batch: int = 4
    patch: int = 32  # voxels per side
    lr: float = 4e-3
    warmup: int = 30  # updates
    # standard deviation of the noise on latents, which lie between -1 and 1: with more noise,
    # decoding tolerates the errors of generated latents better, and is less exact without them
    latent_noise: float = 0.05
    far: float = 0.1  # weight of voxels away from borders; those at a border have 1 more
    ema: float = 0.995
    clip: float = 1.0  # norm of the gradient
    precision: Precision = "float32"
    device: str = "auto"  # auto, cpu, mps, cuda, cuda:1
    log_every: int = 10  # updates
    check_every: int = 500  # updates between checkpoints and looks at held-out shapes
    check_masks: int = 64
    num_workers: int = key(0, free=True)  # processes that draw shapes
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("updates", "batch", "check_every", "check_masks", "log_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: 1 or more")

        if self.patch % FACTOR or self.patch < 16:
            raise ValueError(f"patch is {self.patch}: a multiple of {FACTOR}, 16 or more")
        if not 0 <= self.latent_noise < math.inf or not 0 < self.far < math.inf:
            raise ValueError(
                f"latent_noise {self.latent_noise}, far {self.far}: the first 0 or more, the "
                "second above 0"
            )
        if not 0 <= self.ema < 1 or min(self.num_workers, self.seed) < 0:
            raise ValueError(
                f"ema {self.ema}, num_workers {self.num_workers}, seed {self.seed}: ema in [0, 1), "
                "the others not negative"
            )
        self.optimiser  # noqa: B018 - refuses lr, clip and warmup

    @property
    def optimiser(self) -> Optimiser:
        """Muon with a linear warm-up, then a cosine down to a hundredth."""
        begin = min(self.warmup / self.updates, 1.0)
        decay = Ramp(1.0, 0.01, max(begin, 0.0), 1.0, "cosine")
        return Optimiser(
            *(self.lr, (0.9, 0.99)), clip=self.clip, warmup=self.warmup, decay=decay, kind="muon"
        )
