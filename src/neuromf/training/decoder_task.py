"""What `neuromf train-decoder` trains: L1, L1 of finite differences and the energy at high
frequencies of decoded patches.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from neuromf.autoencoder.decoder import FastDecoder
from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.autoencoder.sharpening import high_pass
from neuromf.autoencoder.small import gradient_l1
from neuromf.runtime.device import float64
from neuromf.training.decoder_config import TrainDecoderConfig
from neuromf.training.latent_patches import DecoderBatch

BLOCK = 8  # voxels a side of the blocks whose energy is compared; they overlap by half
FLOOR = 1e-4  # energy below which blocks count as equal: background, and what cannot be seen


class DecoderTask:
    """Decoding of latents, some of them with noise, to the volumes that they are of.

    The best decoder for a distance is the mean of all volumes that have the same latent, which is
    smoother than each of them. The spectral term asks for as much energy at high frequencies as
    the volumes have; where the distance has its minimum, this costs little. It compares small
    blocks, since the cheapest way to raise the energy of a whole patch is to overdo its strongest
    edges.

    `std` (C,) are the standard deviations of the latents' channels, the unit of their noise.
    `teacher` is the VAE whose own decoder gives a second target, where the configuration asks for
    one. It is smoother than the volume, but free of the noise that no decoder can know.
    """

    advice = "a smaller batch or patch, or precision=bfloat16"

    def __init__(
        self, network: FastDecoder, config: TrainDecoderConfig, std: Tensor, teacher: FrozenVAE
    ) -> None:
        self.network, self.config, self.std = network, config, std.view(-1, 1, 1, 1)
        self.teacher = teacher

    def loss(self, batch: DecoderBatch) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch, and its parts with the number of batches, 1."""
        z, x = batch.z + self.std.to(batch.z) * batch.noise, batch.x
        y = self.network(z.contiguous(memory_format=torch.channels_last_3d)).float().contiguous()

        l1, gradient = distances(y, x, batch.inside)
        spectrum, energy = detail(y, x, batch.inside)
        loss = l1 + self.config.gradient * gradient + self.config.spectrum * spectrum

        taught = torch.zeros_like(l1)
        if self.config.teacher:
            # of the latents without noise, and as zero beyond the patch as the decoder sees them
            target = self.teacher.decode(batch.z).clamp(0, 1)
            apart, steeper = distances(y, target, batch.inside)
            taught = apart + self.config.gradient * steeper
            loss = loss + self.config.teacher * taught

        parts = [l1, gradient, spectrum, taught, energy, torch.ones_like(l1)]
        return loss, float64(torch.stack([p.detach() for p in parts]))

    def means(self, sums: Sequence[float]) -> dict[str, float]:
        """Return the means over batches; `energy` is the decoder's at high frequencies over
        the volumes'."""
        *parts, count = sums
        names = ("l1", "gradient", "spectrum", "teacher", "energy")
        return {name: value / count for name, value in zip(names, parts, strict=True)}


def distances(a: Tensor, b: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """Return L1 and L1 of finite differences of patches (B, 1, P, P, P), means over patches."""
    pairs = [(inner(one, i), inner(other, i)) for one, other, i in zip(a, b, inside, strict=True)]
    l1 = torch.stack([F.l1_loss(one, other) for one, other in pairs]).mean()
    return l1, torch.stack([gradient_l1(one, other) for one, other in pairs]).mean()


def detail(a: Tensor, b: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """Return how unlike the energies at high frequencies of patches (B, 1, P, P, P) are, the mean
    squared log ratio of blocks, and the ratio of their sums, each ().
    """
    unlike, sums = [], []
    for one, other, i in zip(a, b, inside, strict=True):
        # without the outermost voxels, which the high pass sees half of
        parts = [high_pass(inner(v, i))[..., 1:-1, 1:-1, 1:-1].square() for v in (one, other)]
        block = [min(BLOCK, n) for n in parts[0].shape[2:]]  # small patches are one block
        first, second = (F.avg_pool3d(part, block, BLOCK // 2) for part in parts)
        unlike.append(((first + FLOOR) / (second + FLOOR)).log().square().mean())
        sums.append(torch.stack([first.sum(), second.sum()]))

    above, below = torch.stack(sums).sum(0)
    return torch.stack(unlike).mean(), above / below.clamp(min=1e-20)


def inner(volume: Tensor, inside: Tensor) -> Tensor:
    """Return what the loss looks at of a patch (1, P, P, P), as (1, 1, D, H, W)."""
    bounds = [slice(first, end) for first, end in inside.tolist()]
    return volume[(None, slice(None), *bounds)]
