"""Lesion masks as latents: several ways to code them, behind one interface."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neuromf.autoencoder.frozen import FrozenVAE, LatentSpace
from neuromf.autoencoder.mask_autoencoder import KIND, load_mask_autoencoder, shipped
from neuromf.autoencoder.mask_fields import (
    Spacing,
    ToField,
    calibrated,
    distance,
    identity,
    smoothed,
)
from neuromf.runtime.device import Precision
from neuromf.runtime.folders import local_path
from neuromf.runtime.records import read_json_object

CLIP = 6.0  # mm beyond which signed distances count as equal
AUTOENCODER = "autoencoder"  # the name of the mask autoencoder that ships with the package
FIELDS: dict[str, ToField] = {"binary": identity, "partial": smoothed}
# Values of the decoded fields at which a lesion begins.
THRESHOLDS = {"distance": 0.5, "binary": 0.5, "partial": 0.5, "average": 0.5}


@dataclass(frozen=True)
class MaskCode:
    """A way to code masks as latents.

    A mask becomes a field, which `vae` encodes; where the field that it decodes is at least
    `threshold`, there is lesion. `space.name` is what `load_mask_code` takes to return this code.
    """

    space: LatentSpace
    vae: FrozenVAE
    to_field: ToField = identity
    threshold: float = 0.5

    @property
    def name(self) -> str:
        """What `load_mask_code` takes to return this code."""
        return self.space.name

    @property
    def channels(self) -> int:
        """Number of channels of a latent."""
        return self.space.channels

    @property
    def factor(self) -> int:
        """Voxels of a mask per voxel of a latent, along each axis."""
        return self.space.factor

    def encode(self, mask: Tensor, spacing: Spacing) -> Tensor:
        """Return latents (B, channels, D/factor, H/factor, W/factor) of masks (B, 1, D, H, W) of 0
        and 1, whose voxels measure `spacing` mm.

        Raises ValueError for other shapes, other values and sizes that are not positive.
        """
        check_masks(mask, spacing)
        return self.vae.encode(self.to_field(mask.float(), spacing).float())

    def decode(self, z: Tensor, max_memory_gb: float | None = None) -> Tensor:
        """Return fields (B, 1, D, H, W) in [0, 1]; where they are 0.5 or more is lesion."""
        return calibrated(self.vae.decode(z, max_memory_gb), self.threshold)

    def check(self, wanted: LatentSpace, who: str) -> None:
        """Raise ValueError unless this is the code that `who`, a store or a model, was made
        with.
        """
        own = (self.space.sha256, self.channels, self.factor)
        if own != (wanted.sha256, wanted.channels, wanted.factor):
            raise ValueError(
                f"{who} holds masks coded as {wanted.name} (fingerprint {wanted.sha256[:16]}, "
                f"{wanted.channels} channels), the mask code {self.name} has the fingerprint "
                f"{self.space.sha256[:16]} and {self.channels}: give that code with the VAE that "
                "it was made with, or encode again"
            )


def load_mask_code(
    name: str,
    vae: FrozenVAE,
    device: torch.device | str = "cpu",
    precision: Precision = "float32",
) -> MaskCode:
    """Return the mask code of this name, whose latents have the factor of `vae`.

    - `distance`, `distance:12`: signed distance, limited to ±6 or ±12 mm, through `vae`.
    - `binary`, `partial`: the mask, or the mask with borders as partial volumes, through `vae`.
    - `average`: means of blocks, decoded by trilinear interpolation. No network, one channel.
    - `autoencoder`: the light mask autoencoder that ships with the package.
    - a folder that `neuromf train-mask-autoencoder` wrote.

    A number after `binary:`, `partial:` or `average:` is another threshold. Raises ValueError for
    other names, and for an autoencoder of another factor.
    """
    folder = _autoencoder_folder(name)
    if folder is not None:
        masks = load_mask_autoencoder(folder, name, device, precision)
        _check_factor(masks, vae)
        return MaskCode(masks.space, masks)

    kind, number = _parsed(name)
    if kind == "distance":
        return _distance_code(name, vae, CLIP if number is None else number)
    threshold = THRESHOLDS[kind] if number is None else number
    if not 0 < threshold < 1:
        raise ValueError(f"mask code {name!r}: the threshold after the colon lies between 0 and 1")
    if kind == "average":
        space = LatentSpace(name, _sha256(field=kind, factor=vae.factor), 1, vae.factor, "encoder")
        return MaskCode(space, pooling(vae.factor, space, device), identity, threshold)
    return MaskCode(_space(name, vae, field=kind), vae, FIELDS[kind], threshold)


def _parsed(name: str) -> tuple[str, float | None]:
    """Return the kind of a code and the number after the colon, None where there is none."""
    kind, colon, given = name.partition(":")
    if kind not in THRESHOLDS or (colon and not given):
        raise ValueError(
            f"mask code {name!r}: distance, distance:MM, binary, partial, average, autoencoder, or "
            "a folder that `neuromf train-mask-autoencoder` wrote"
        )
    try:
        return kind, float(given) if given else None
    except ValueError:
        raise ValueError(f"mask code {name!r}: a number follows the colon") from None


def _distance_code(name: str, vae: FrozenVAE, clip: float) -> MaskCode:
    if not 0 < clip < math.inf:
        raise ValueError(f"mask code {name!r}: the distance after the colon is above 0 mm")
    space = _space(name, vae, field="distance", clip=clip)
    return MaskCode(space, vae, distance(clip), THRESHOLDS["distance"])


class Pooling(nn.Module):
    """Means of blocks of voxels, and trilinear interpolation back."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the means of blocks, and 0 for their standard deviation."""
        mean = F.avg_pool3d(x, self.factor)
        return mean, torch.zeros_like(mean)

    def decode(self, z: Tensor) -> Tensor:
        """Return fields (B, 1, D, H, W)."""
        return F.interpolate(z, scale_factor=self.factor, mode="trilinear", align_corners=False)


def pooling(factor: int, space: LatentSpace, device: torch.device | str) -> FrozenVAE:
    """Return pooling as the rest of the package knows an autoencoder."""
    return FrozenVAE(Pooling(factor), space.name, 1, factor, device=device, space=space)


def check_masks(mask: Tensor, spacing: Spacing) -> None:
    """Raise ValueError unless these are masks (B, 1, D, H, W) of 0 and 1 with voxels of a positive
    size.
    """
    if mask.ndim != 5 or mask.shape[1] != 1:
        raise ValueError(f"masks have shape {tuple(mask.shape)}: (B, 1, D, H, W) is needed")
    other = mask[(mask != 0) & (mask != 1)]
    if len(other):
        raise ValueError(
            f"masks hold {len(other)} voxels of other values than 0 and 1, such as "
            f"{float(other[0]):g}: cut them at a threshold first"
        )
    if len(spacing) != 3 or not all(0 < size < math.inf for size in spacing):
        raise ValueError(f"spacing is {spacing}: three sizes in mm, above 0, are needed")


def _autoencoder_folder(name: str) -> Path | None:
    """Return the folder of the mask autoencoder of this name, None where it is another code."""
    if name == AUTOENCODER:
        return shipped()
    config = local_path(name) / "config.json"
    if not config.is_file():
        return None
    kind = read_json_object(config, "copy the folder again").get("kind")
    if kind != KIND:
        raise ValueError(
            f"mask code {name}: the folder holds a {kind}, {KIND} is needed, as `neuromf "
            "train-mask-autoencoder` writes it"
        )
    return config.parent


def _check_factor(masks: FrozenVAE, vae: FrozenVAE) -> None:
    if masks.factor != vae.factor:
        raise ValueError(
            f"mask code {masks.name} has the factor {masks.factor}, VAE {vae.name} {vae.factor}: "
            "latents of mask and image would not align; distance, for example, has the VAE's own"
        )


def _space(name: str, vae: FrozenVAE, **how: object) -> LatentSpace:
    """Return the latent space of masks that become fields in this way and go through `vae`."""
    sha256 = _sha256(**how, vae=vae.space.sha256)
    return LatentSpace(name, sha256, vae.channels, vae.factor, "encoder")


def _sha256(**how: object) -> str:
    return hashlib.sha256(json.dumps(how, sort_keys=True).encode()).hexdigest()
