"""What `neuromf train-decoder` trains: L1, L1 of finite differences and the spectrum of decoded
patches.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neuromf.autoencoder.decoder import FastDecoder
from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.autoencoder.small import gradient_l1
from neuromf.metrics.spectrum import frequency_radius
from neuromf.training.decoder_config import TrainDecoderConfig
from neuromf.training.latent_patches import DecoderBatch

# Radial bands of the spectrum, in units of the Nyquist frequency; corners reach beyond 1. What lies
# above a half is one band: where in it the energy is raised is left to the distances, which favour
# the lower end, because the highest frequencies are noise that no decoder can know.
BANDS = ((0.25, 0.5), (0.5, 2.0))


class DecoderTask:
    """Decoding of latents, some of them with noise, to the volumes that they are of.

    The best decoder for a distance is the mean of all volumes that have the same latent, which is
    smoother than each of them. The spectral term asks for as much energy in each band as the
    volumes have; where the distance has its minimum, this costs little.

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
        self.energies = BandEnergies(config.patch)

    def loss(self, batch: DecoderBatch) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch, and its parts with the number of batches, 1."""
        z, x = batch.z + self.std.to(batch.z) * batch.noise, batch.x
        y = self.network(z.contiguous(memory_format=torch.channels_last_3d)).float().contiguous()

        l1, gradient = distances(y, x, batch.inside)
        self.energies.to(y.device)
        ratios = self.energies(y) / self.energies(x).clamp(min=1e-20)
        spectrum = ratios.clamp(min=1e-6).log().square().mean()
        loss = l1 + self.config.gradient * gradient + self.config.spectrum * spectrum

        taught = torch.zeros_like(l1)
        if self.config.teacher:
            # of the latents without noise, and as zero beyond the patch as the decoder sees them
            target = self.teacher.decode(batch.z).clamp(0, 1)
            apart, steeper = distances(y, target, batch.inside)
            taught = apart + self.config.gradient * steeper
            loss = loss + self.config.teacher * taught

        parts = [l1, gradient, spectrum, taught, *ratios, torch.ones_like(l1)]
        return loss, torch.stack([p.detach().double() for p in parts])

    def means(self, sums: Sequence[float]) -> dict[str, float]:
        """Return the means over batches; `energy_a_b` is the ratio of energies in a band."""
        *parts, count = sums
        bands = [f"energy_{low:g}_{high:g}" for low, high in BANDS]
        names = ("l1", "gradient", "spectrum", "teacher", *bands)
        return {name: value / count for name, value in zip(names, parts, strict=True)}


def distances(a: Tensor, b: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """Return L1 and L1 of finite differences of patches (B, 1, P, P, P), means over patches."""
    pairs = [(inner(one, i), inner(other, i)) for one, other, i in zip(a, b, inside, strict=True)]
    l1 = torch.stack([F.l1_loss(one, other) for one, other in pairs]).mean()
    return l1, torch.stack([gradient_l1(one, other) for one, other in pairs]).mean()


class BandEnergies(nn.Module):
    """Spectral energies of patches (B, 1, P, P, P) in each band, (bands,), summed over patches.

    A Hann window takes the patch's border out: where the brain goes on beyond it, the step to the
    opposite side would look like fine detail.
    """

    window: Tensor
    masks: Tensor

    def __init__(self, side: int) -> None:
        super().__init__()
        w = torch.hann_window(side, periodic=False)
        self.register_buffer("window", w[:, None, None] * w[:, None] * w, persistent=False)

        half = side // 2 + 1  # the others of the last axis are equal to these
        radius = frequency_radius(torch.zeros(side, side, side))[..., :half]
        twice = torch.full((half,), 2.0)
        twice[0] = twice[-1] = 1.0
        masks = [((radius > low) & (radius <= high)) * twice for low, high in BANDS]
        self.register_buffer("masks", torch.stack(masks).flatten(1).float(), persistent=False)

    def forward(self, volumes: Tensor) -> Tensor:
        """Return the energies."""
        # cuFFT and the sums of squares need float32, whatever surrounds them
        with torch.autocast(volumes.device.type, enabled=False):
            transform = torch.fft.rfftn(volumes[:, 0].float() * self.window, dim=(1, 2, 3))
            power = transform.real.square() + transform.imag.square()
            found: Tensor = self.masks @ power.sum(0).flatten()
        return found


def inner(volume: Tensor, inside: Tensor) -> Tensor:
    """Return what the loss looks at of a patch (1, P, P, P), as (1, 1, D, H, W)."""
    bounds = [slice(first, end) for first, end in inside.tolist()]
    return volume[(None, slice(None), *bounds)]
