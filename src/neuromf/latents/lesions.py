"""Lesion masks of prepared volumes as the second component of latents."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from neuromf.autoencoder.components import LESION, Component
from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.autoencoder.mask_codes import MaskCode, load_mask_code
from neuromf.data.cohort import Entry
from neuromf.data.lesion_file import lesion_ml
from neuromf.data.volume import VolumeError, Voxels, volume_sha256
from neuromf.latents.shard import StoreError
from neuromf.latents.store import LatentEntry
from neuromf.runtime.device import explain_oom


@dataclass(frozen=True)
class EncodedLesion:
    """The latent (C, D, H, W) of a lesion mask, its volume, and its centre in shares of the grid's
    three sides; no centre where the mask is empty.
    """

    latent: Tensor
    ml: float
    centre: tuple[float, ...]


def lesion_component(code: MaskCode) -> Component:
    """Return the component that a mask code's latents are."""
    return Component(LESION, code.space)


def encode_lesion(code: MaskCode, volume: Entry) -> EncodedLesion:
    """Return a volume's lesion mask as a mask code has it.

    Raises VolumeError if the volume has none, if the file is not the one in the manifest, or the
    values are not finite.
    """
    path = volume.lesion_path
    mask = volume.read_lesion()
    if mask is None:
        raise VolumeError(
            f"{volume.path}: has no lesion mask: prepare it from a table with a `lesion` column, "
            "or encode without lesions="
        )
    if volume_sha256(path) != volume.lesion_sha256:
        raise VolumeError(
            f"{path}: is not the lesion mask that its manifest lists (another SHA-256): prepare it "
            "again with --resume"
        )

    with explain_oom(f"encoding the lesions of {volume.name}", "a smaller preset"):
        latent = code.encode(torch.from_numpy(mask.voxels)[None, None], mask.spacing)[0].cpu()
    if not torch.isfinite(latent).all():
        raise VolumeError(f"{path}: its latent holds NaN or Inf")
    return EncodedLesion(latent, lesion_ml(mask), centre(mask.voxels))


def with_lesion(entry: LatentEntry, volume: Entry, lesion: EncodedLesion) -> LatentEntry:
    """Return an index entry with what is known of the lesions in the latent."""
    return replace(
        entry,
        lesion_sha256=volume.lesion_sha256,
        lesion_ml=lesion.ml,
        lesion_centre=lesion.centre,
    )


def centre(mask: Voxels) -> tuple[float, ...]:
    """Return the centre of gravity of a mask (D, H, W), in shares of its three sides: 0.5 is the
    middle. Empty for a mask without any voxel.
    """
    if not mask.any():
        return ()
    middle = (np.argwhere(mask > 0).mean(axis=0) + 0.5) / mask.shape
    return tuple(round(float(share), 5) for share in middle)


@functools.lru_cache(maxsize=2)
def cached_code(name: str, vae: FrozenVAE, sha256: str) -> MaskCode:
    """Return the mask code whose fingerprint the index will name, on the VAE's device. Raises
    StoreError if it has another by now.
    """
    code = load_mask_code(name, vae, vae.device, vae.precision)
    if code.space.sha256 != sha256:
        raise StoreError(
            f"lesions={name} changed while encoding: is it still being trained? encode again with "
            "--resume"
        )
    return code


def refuse_without_masks(volumes: list[Entry]) -> None:
    """Raise VolumeError where none of the volumes has a lesion mask."""
    if not any(volume.lesion_sha256 for volume in volumes):
        raise VolumeError(
            f"none of {len(volumes)} volumes has a lesion mask: prepare them from a table with a "
            "`lesion` column, or encode without lesions="
        )


def count_left_out(volumes: list[Entry]) -> str:
    """Return a sentence on the lesion masks that are not encoded; empty where there are none."""
    count = sum(bool(volume.lesion_sha256) for volume in volumes)
    return (
        f"{count} of {len(volumes)} volumes have a lesion mask, which is left out: "
        "lesions=distance encodes it too"
        if count
        else ""
    )
