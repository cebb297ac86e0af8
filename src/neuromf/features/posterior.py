"""A volume in a VAE's latent space: moments of its posterior mean, and its projections on
fixed directions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from neuromf.autoencoder.load import load_vae
from neuromf.data.volume import Volume
from neuromf.features.measure import Measure, fingerprint
from neuromf.metrics.wasserstein import project
from neuromf.runtime.device import without_tf32
from neuromf.runtime.randomness import Purpose, generator

DIRECTIONS = 256  # of the sliced Wasserstein distance between latents


def posterior(name: str, device: str = "cpu") -> Measure:
    """Return the measure of latents of a VAE, as `load_vae` takes it.

    `mean`, `std`, `skewness` and excess `kurtosis` (C,) are over a latent's voxels. `directions`
    (DIRECTIONS,) are the latent's projections on random unit directions that never change, so that
    the latents themselves need not be kept.
    """
    vae = load_vae(name, device)

    @torch.no_grad()
    def compute(volume: Volume) -> dict[str, Tensor]:
        with without_tf32():
            z = vae.encode(torch.from_numpy(volume.voxels)[None, None].to(device))[0].float().cpu()
        return moments(z) | {
            "directions": project([z[None]], DIRECTIONS, generator(Purpose.DIRECTIONS, 0))[0][0]
        }

    return Measure(
        f"latents:{vae.name}",
        fingerprint("latents", vae.sha256, DIRECTIONS, 1),
        f"latents of {vae.name}",
        compute,
    )


def moments(z: Tensor) -> dict[str, Tensor]:
    """Return mean, standard deviation, skewness and excess kurtosis (C,) of each channel of a
    latent (C, D, H, W).
    """
    flat = z.double().flatten(1)
    mean, std = flat.mean(1), flat.std(1, correction=0)
    standard = (flat - mean[:, None]) / std.clamp(min=1e-12)[:, None]
    values = {
        "mean": mean,
        "std": std,
        "skewness": (standard**3).mean(1),
        "kurtosis": (standard**4).mean(1) - 3,
    }
    return {name: value.float() for name, value in values.items()}
