"""What `neuromf train-vae` trains: L1, L1 of finite differences and KL of reconstructed patches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from neuromf.autoencoder.small import SmallVAE, gradient_l1, kl_to_standard_normal
from neuromf.runtime.device import float64
from neuromf.training.patches import PatchBatch
from neuromf.training.vae_config import TrainVAEConfig


class VAETask:
    """Reconstruction of patches through a draw of the posterior."""

    advice = "a smaller batch or patch, or precision=bfloat16"

    def __init__(self, network: SmallVAE, config: TrainVAEConfig) -> None:
        self.network, self.config = network, config

    def loss(self, batch: PatchBatch) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch, and its parts with the number of batches, 1."""
        x = batch.x
        mean, sigma = self.network.encode(x.contiguous(memory_format=torch.channels_last_3d))
        y = self.network.decode(mean + sigma * batch.noise.to(mean))

        l1 = F.l1_loss(y.float(), x)
        gradient = gradient_l1(y.float(), x)
        kl = kl_to_standard_normal(mean.float(), sigma.float())
        parts = [l1, gradient, kl, sigma.mean(), torch.ones_like(l1)]
        loss = l1 + self.config.gradient * gradient + self.config.kl * kl
        return loss, float64(torch.stack([p.detach() for p in parts]))

    def means(self, sums: Sequence[float]) -> dict[str, float]:
        """Return the means over batches."""
        *parts, count = sums
        names = ("l1", "gradient", "kl", "sigma")
        return {name: value / count for name, value in zip(names, parts, strict=True)}
