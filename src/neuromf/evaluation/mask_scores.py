"""How well lesion masks come back from their latents, mask by mask and by size."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuromf.autoencoder.mask_codes import MaskCode
from neuromf.evaluation.mask_overlap import dice, hausdorff95, invented, pieces, volume_error
from neuromf.evaluation.mask_reading import LesionMask

SIZES = (2.0, 20.0)  # ml, between the groups of masks
PIECE_SIZES = (0.1, 1.0)  # ml, between the groups of connected pieces
FOUND = 0.5  # smallest share of a piece's voxels with which it counts as found
SEEN = 0.1  # of the largest difference from the median: latent voxels with less do not count


@dataclass(frozen=True)
class Piece:
    """A connected piece of a mask."""

    ml: float
    recovered: float  # share of its voxels that came back


@dataclass(frozen=True)
class Score:
    """How well one mask came back."""

    name: str
    ml: float
    dice: float
    dice_noisy: float  # with noise on the latents
    hausdorff95_mm: float | None  # None where nothing came back
    volume_error_percent: float
    invented: int  # pieces that are none of the mask's
    pieces: tuple[Piece, ...]


def round_trip(code: MaskCode, mask: LesionMask, noise: float) -> tuple[Score, NDArray[np.bool_]]:
    """Return how well a mask comes back from its latent, and what came back.

    `noise` is the standard deviation of white noise on the latents for `dice_noisy`, in units of
    that of each channel where there are lesions.
    """
    x = torch.from_numpy(mask.voxels.astype(np.float32))[None, None]
    z = code.encode(x, mask.spacing)
    found = _lesions(code, z)
    noisy = _lesions(code, z + noise * noise_like(z)) if noise else found

    far = hausdorff95(found, mask.voxels, mask.spacing)
    voxel_ml = float(np.prod(mask.spacing)) / 1000
    sizes, recovered = pieces(found, mask.voxels)
    score = Score(
        name=mask.name,
        ml=mask.ml,
        dice=dice(found, mask.voxels),
        dice_noisy=dice(noisy, mask.voxels),
        hausdorff95_mm=far if math.isfinite(far) else None,
        volume_error_percent=volume_error(found, mask.voxels),
        invented=invented(found, mask.voxels),
        pieces=tuple(Piece(n * voxel_ml, share) for n, share in zip(sizes, recovered, strict=True)),
    )
    return score, found


def noise_like(z: Tensor) -> Tensor:
    """Return white noise, equal for equal shapes, with the standard deviation that each channel of
    latents (1, C, D, H, W) has at lesions: where it is far from its median, which is background.
    """
    noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(0)).to(z)
    background = z.flatten(2).median(2).values[:, :, None, None, None]
    change = (z - background).abs()
    seen = (change > SEEN * change.amax((2, 3, 4), keepdim=True)).any(1)[0]
    if not seen.any():
        return torch.zeros_like(z)
    return noise * z[:, :, seen].std(2, correction=0)[:, :, None, None, None]


def _lesions(code: MaskCode, z: Tensor) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (code.decode(z)[0, 0] >= 0.5).cpu().numpy()
    return found


def by_size(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """Return the means over the masks of each size; groups without masks are left out."""
    found = []
    for label, low, high in groups(SIZES):
        own = [s for s in scores if low <= s.ml < high]
        if own:
            found.append({"size": label, "masks": len(own), **means(own)})
    return found


def means(scores: Sequence[Score]) -> dict[str, float | int | None]:
    """Return means over masks: the volume error's of absolute values, the Hausdorff distance's of
    masks of which something came back.
    """
    far = [s.hausdorff95_mm for s in scores if s.hausdorff95_mm is not None]
    return {
        "dice": float(np.mean([s.dice for s in scores])),
        "dice_min": min(s.dice for s in scores),
        "dice_noisy": float(np.mean([s.dice_noisy for s in scores])),
        "hausdorff95_mm": float(np.mean(far)) if far else None,
        "lost": len(scores) - len(far),
        "volume_error_percent": float(np.mean([abs(s.volume_error_percent) for s in scores])),
    }


def pieces_by_size(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """Return how many connected pieces of each size there are, the share of them of which at least
    half came back, and the mean share of their voxels.
    """
    every = [piece for score in scores for piece in score.pieces]
    found = []
    for label, low, high in groups(PIECE_SIZES):
        shares = np.array([piece.recovered for piece in every if low <= piece.ml < high])
        if len(shares):
            whole, voxels = float((shares >= FOUND).mean()), float(shares.mean())
            row = {"size": label, "pieces": len(shares), "found": whole, "voxels": voxels}
            found.append(row)
    return found


def groups(edges: Sequence[float]) -> list[tuple[str, float, float]]:
    """Return label, lower and upper limit (ml) of the groups between edges."""
    limits = [0.0, *edges, math.inf]
    labels = [
        f"< {edges[0]:g} ml",
        *(f"{a:g}-{b:g} ml" for a, b in itertools.pairwise(edges)),
        f">= {edges[-1]:g} ml",
    ]
    return list(zip(labels, limits[:-1], limits[1:], strict=True))
