"""Decoded latents as volumes: voxels in [0, 1], 0 outside the brain, placed in space."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from neuromf.autoencoder.components import Component, split
from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.data.volume import Volume, Voxels, centred_affine
from neuromf.runtime.device import explain_oom

# a decoder leaves a little outside a stripped brain, where its training volumes were 0
BACKGROUND = 0.02


def decoded_volume(
    latent: Tensor,
    components: Sequence[Component],
    vae: FrozenVAE,
    spacing: tuple[float, float, float],
    memory_gb: float | None = None,
) -> Volume:
    """Return the image of a latent (1, C, D, H, W), as the VAE of its first component decodes it:
    values in [0, 1], 0 outside the brain, RAS, `spacing` mm, centre at 0 mm.
    """
    with explain_oom("decoding", "decode_memory_gb=4, or less"):
        image = split(latent, components)[components[0].name]
        array = cleaned(vae.decode(image, memory_gb))
    return Volume(array, centred_affine(array.shape, spacing))


def cleaned(decoded: Tensor) -> Voxels:
    """Return the voxels of a decoded volume (1, 1, D, H, W): in [0, 1], 0 outside the brain."""
    return bounded(decoded)[0, 0].cpu().numpy()


def bounded(decoded: Tensor) -> Tensor:
    """Return decoded volumes with voxels in [0, 1], and 0 where a decoder leaves a little outside
    the brain.
    """
    voxels = decoded.float().clamp(0, 1)
    return torch.where(voxels < BACKGROUND, 0.0, voxels)
