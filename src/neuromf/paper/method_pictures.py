"""What the overview of the method shows: the MNI152 average and its latents, noise, and a sample
of the model that ships with the package, drawn in one call.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuromf.data.template import mni152
from neuromf.flow.path import point_on_path
from neuromf.generation.generator import load

MODEL = "embedded"
SEED = 0
TIMES = (0.0, 0.35, 0.7, 1.0)  # of the points on the path that are shown
Plane = NDArray[np.float32]


class Pictures(NamedTuple):
    """Axial planes, anterior up; latents are planes of their channels."""

    scan: Plane
    path: list[list[Plane]]  # channels of the latents at each time
    noise: list[Plane]
    sample: list[Plane]  # the latents of one call
    brain: Plane
    model: str  # fingerprint of the model
    vae: str  # and of its VAE


@torch.no_grad()
def pictures() -> Pictures:
    """Return the pictures; the same on every call."""
    generator = load(MODEL, "cpu")
    vae = generator.vae
    shape = tuple(side * vae.factor for side in generator.config.shape[1:])
    scan = template(shape)

    mean = vae.encode(torch.from_numpy(scan)[None, None])
    data = (mean - mean.mean((2, 3, 4), keepdim=True)) / mean.std((2, 3, 4), keepdim=True)
    noise = generator.noise(0, SEED)
    path = [point_on_path(data, noise, torch.tensor([t])) for t in TIMES]
    latent = generator.latent(0, 1, SEED, generator.asked(seed=SEED))  # as `generate` draws it
    brain = vae.decode(latent)[0, 0].numpy()

    centred = latent - latent.mean((2, 3, 4), keepdim=True)
    return Pictures(
        scan=axial(scan),
        path=[channels(z) for z in path],
        noise=channels(noise),
        sample=channels(centred / centred.std((2, 3, 4), keepdim=True)),
        brain=axial(brain),
        model=generator.model.sha256,
        vae=vae.sha256,
    )


def template(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the MNI152 average at 2 mm on a grid of that shape, the brain in its middle."""
    voxels = mni152().voxels
    half = [side // 2 * 2 for side in voxels.shape]
    coarse = voxels[: half[0], : half[1], : half[2]]
    coarse = coarse.reshape(half[0] // 2, 2, half[1] // 2, 2, half[2] // 2, 2).mean((1, 3, 5))

    out = np.zeros(shape, np.float32)
    inside = np.argwhere(coarse > 0)
    middle = (inside.min(0) + inside.max(0) + 1) // 2
    for_out, for_coarse = [], []
    for side, centre, length in zip(shape, middle, coarse.shape, strict=True):
        first = int(centre) - side // 2
        low, high = max(first, 0), min(first + side, length)
        for_out.append(slice(low - first, high - first))
        for_coarse.append(slice(low, high))
    out[tuple(for_out)] = coarse[tuple(for_coarse)]
    return out


def axial(voxels: NDArray[np.float32]) -> Plane:
    """Return the middle axial plane of a RAS volume (D, H, W), anterior up."""
    return np.ascontiguousarray(voxels[:, ::-1, voxels.shape[2] // 2].T)


def channels(latents: Tensor) -> list[Plane]:
    """Return the middle axial plane of each channel of latents (1, C, D, H, W)."""
    return [axial(channel.numpy()) for channel in latents[0]]
