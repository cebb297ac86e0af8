"""What the VAE makes of prepared volumes, one or several at once; a bad one leaves the others."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor

from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.data.cohort import Entry
from neuromf.data.volume import VolumeError, volume_sha256
from neuromf.runtime.device import explain_oom
from neuromf.runtime.files import stop_if_disk

Posterior = Callable[[], tuple[Tensor, Tensor]]  # mean and standard deviation, or an exception


def encode_volume(vae: FrozenVAE, volume: Entry) -> tuple[Tensor, Tensor]:
    """Return the posterior's mean and standard deviation (C, D, H, W) of a prepared volume.

    Raises VolumeError if the file is not the one in the manifest, or the values are not finite.
    """
    (posterior,) = encode_volumes(vae, [volume])
    return posterior()


def encode_volumes(vae: FrozenVAE, volumes: Sequence[Entry]) -> list[Posterior]:
    """Encode prepared volumes, those of one size at once, and return for each a function that gives
    its posterior's mean and standard deviation (C, D, H, W), or raises what is wrong with it:
    VolumeError or OSError.
    """
    read: dict[int, Tensor] = {}
    found: dict[int, Posterior] = {}
    for number, volume in enumerate(volumes):
        try:
            read[number] = read_voxels(volume)
        except (VolumeError, OSError) as error:
            stop_if_disk(error)
            found[number] = functools.partial(_raise, error)

    for size in dict.fromkeys(x.shape for x in read.values()):
        alike = [number for number, x in read.items() if x.shape == size]
        x = torch.stack([read[number] for number in alike])
        with explain_oom(
            f"encoding {len(alike)} volumes {tuple(size[1:])} at once",
            "batch=1, precision=bfloat16, a smaller preset, or vae=small",
        ):
            moments = vae.posterior(x)
        for number, mean, sigma in zip(alike, *(m.cpu() for m in moments), strict=True):
            found[number] = functools.partial(_checked, volumes[number].path, mean, sigma)
    return [found[number] for number in range(len(volumes))]


def read_voxels(volume: Entry) -> Tensor:
    """Return a prepared volume (1, D, H, W). Raises VolumeError if the file is not the one in the
    manifest.
    """
    if volume_sha256(volume.path) != volume.record["sha256"]:
        raise VolumeError(
            f"{volume.path}: is not the file that its manifest lists (another SHA-256): prepare "
            "it again with --resume"
        )
    return torch.from_numpy(volume.read().voxels)[None]


def _checked(path: Path, mean: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    if not (torch.isfinite(mean).all() and torch.isfinite(sigma).all()):
        raise VolumeError(f"{path}: its latent holds NaN or Inf")
    return mean, sigma


def _raise(error: Exception) -> NoReturn:
    raise error
