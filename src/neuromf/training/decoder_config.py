"""What a fast decoder is trained on, and how."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from neuromf.autoencoder.decoder import FACTOR, DecoderConfig
from neuromf.flow import Ramp
from neuromf.runtime.device import Precision
from neuromf.runtime.fields import key
from neuromf.training.optimiser import Optimiser


@dataclass(frozen=True)
class TrainDecoderConfig:
    """What a fast decoder is trained on, and how."""

    vae: str = "small"  # whose encoder stays: small, maisi, a folder, a MAISI checkpoint
    volumes: Any = ""  # folders that prepare or phantom wrote; each is drawn from equally often
    latents: str = ""  # a latent store of these volumes; they are encoded at the start, if empty
    network: DecoderConfig = field(default_factory=DecoderConfig)
    name: str = ""  # the folder's, if empty
    updates: int = 6000
    batch: int = 2
    patch: int = 64  # voxels per side
    lr: float = 2e-3
    warmup: int = 30  # updates
    gradient: float = 0.5  # weight of the L1 distance of finite differences
    # weight of the squared log ratio of energies at high frequencies, reconstruction over original,
    # in blocks of 8³ voxels; larger is sharper, and further from the original voxel by voxel
    spectrum: float = 2e-3
    # weight of both distances to what the VAE's own decoder makes of the patch, as another target
    # beside the volume: it is free of the noise of scans, and takes the time of that decoder
    teacher: float = 0.0
    # largest noise on the latents, in standard deviations of their channels; a patch with noise
    # draws its own between 0 and this
    latent_noise: float = 0.15
    noisy: float = 0.4  # share of patches with noise on their latents
    ema: float = 0.998
    clip: float = 1.0  # norm of the gradient
    precision: Precision = "float32"
    device: str = "auto"  # auto, cpu, mps, cuda, cuda:1
    log_every: int = 10  # updates
    check_every: int = 250  # updates between checkpoints and looks at held-out volumes
    check_volumes: int = 8
    num_workers: int = key(0, free=True)  # processes that read
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("updates", "batch", "check_every", "check_volumes", "log_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: 1 or more")

        if self.patch % FACTOR or self.patch < 16:
            raise ValueError(f"patch is {self.patch}: a multiple of {FACTOR}, 16 or more")
        for name in ("gradient", "spectrum", "teacher", "latent_noise"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}: a number, 0 or more")
        if not (0 <= self.noisy <= 1 and 0 <= self.ema < 1):
            raise ValueError(f"noisy {self.noisy}, ema {self.ema}: noisy in [0, 1], ema in [0, 1)")
        if min(self.num_workers, self.seed) < 0:
            raise ValueError(
                f"num_workers {self.num_workers}, seed {self.seed}: neither is negative"
            )
        self.optimiser  # noqa: B018 - refuses lr, clip and warmup

    @property
    def optimiser(self) -> Optimiser:
        """AdamW with a linear warm-up, then a cosine down to a hundredth."""
        begin = min(self.warmup / self.updates, 1.0)
        decay = Ramp(1.0, 0.01, max(begin, 0.0), 1.0, "cosine")
        betas = (0.9, 0.99)
        return Optimiser(self.lr, betas, clip=self.clip, warmup=self.warmup, decay=decay)
