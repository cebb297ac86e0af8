"""What `neuromf train-mask-autoencoder` trains: cross-entropy, most of all at borders, and Dice of
masks that are decoded from noisy latents.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from neuromf.autoencoder.mask_autoencoder import MaskAutoencoder
from neuromf.runtime.device import float64
from neuromf.training.mask_batches import MaskBatch
from neuromf.training.mask_config import TrainMaskAutoencoderConfig


class MaskTask:
    """Reconstruction of masks through latents with noise.

    Both terms are means over masks, each normalised by its own size: a speck counts as much as a
    lesion of 50 ml. The noise keeps the code smooth, since what lies closer together than the noise
    cannot be told apart.
    """

    advice = "a smaller batch or patch, or precision=bfloat16"

    def __init__(self, network: MaskAutoencoder, config: TrainMaskAutoencoderConfig) -> None:
        self.network, self.config = network, config

    def loss(self, batch: MaskBatch) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch, and its parts with the number of batches, 1."""
        z, _ = self.network.encode(batch.x.contiguous(memory_format=torch.channels_last_3d))
        logits = self.network.logits(z + self.config.latent_noise * batch.noise.to(z)).float()

        entropy = border_entropy(logits, batch.x, self.config.far)
        dice = soft_dice(logits.sigmoid(), batch.x)
        parts = [entropy, dice, z.float().square().mean().sqrt(), torch.ones_like(entropy)]
        return entropy + 1 - dice, float64(torch.stack([p.detach() for p in parts]))

    def means(self, sums: Sequence[float]) -> dict[str, float]:
        """Return the means over batches; `latent` is the root mean square of latents."""
        *parts, count = sums
        names = ("entropy", "dice", "latent")
        return {name: value / count for name, value in zip(names, parts, strict=True)}


def border_entropy(logits: Tensor, x: Tensor, far: float) -> Tensor:
    """Return the cross-entropy of masks (B, 1, D, H, W), mean over masks of a weighted mean over
    voxels: 1 + `far` within one voxel of a border on either side, `far` elsewhere.
    """
    near = F.max_pool3d(x, 3, 1, 1) + F.max_pool3d(-x, 3, 1, 1)
    weights = near + far
    entropy = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    return ((entropy * weights).flatten(1).sum(1) / weights.flatten(1).sum(1)).mean()


def soft_dice(y: Tensor, x: Tensor) -> Tensor:
    """Return the Dice coefficient of probabilities and masks (B, 1, D, H, W), mean over masks. One
    voxel is added above and below: an empty mask has a Dice coefficient too.
    """
    shared, sizes = (y * x).flatten(1).sum(1), (y + x).flatten(1).sum(1)
    return ((2 * shared + 1) / (sizes + 1)).mean()
