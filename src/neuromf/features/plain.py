"""Measures that need no network: coarse voxels, power by spatial frequency, volumes of tissues."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from neuromf.data.volume import Volume
from neuromf.features.measure import Measure, fingerprint
from neuromf.metrics.spectrum import CUTOFF, high_frequency_energy, radial_power
from neuromf.segmentation.tissue import METHOD, REGIONS, VERSION, Labels, segment

COARSEST = 24  # voxels per side, at most
BINS = 32  # shells of the power spectrum


def coarse() -> Measure:
    """Return the measure of coarse voxels: `voxels` (d * h * w,), means of blocks, at most 24
    blocks per side.
    """

    def compute(volume: Volume) -> dict[str, Tensor]:
        block = -(-max(volume.voxels.shape) // COARSEST)
        x = torch.from_numpy(volume.voxels)[None, None]
        return {"voxels": F.avg_pool3d(x, block, ceil_mode=True, count_include_pad=False).flatten()}

    return Measure("voxels", fingerprint("voxels", COARSEST, 1), "coarse voxels", compute)


def spectrum() -> Measure:
    """Return the measure of detail: `power` (BINS,) by frequency, and `high` (1,), the energy above
    half the Nyquist frequency.
    """

    def compute(volume: Volume) -> dict[str, Tensor]:
        x = torch.from_numpy(volume.voxels)
        return {
            "power": radial_power(x, BINS).float(),
            "high": torch.tensor([high_frequency_energy(x)]),
        }

    return Measure("spectrum", fingerprint("spectrum", BINS, CUTOFF, 1), "power spectrum", compute)


def tissue() -> Measure:
    """Return the measure of tissues: `ml` (5,), in the order of `segmentation.tissue.REGIONS`, and
    `labels`, packed.

    If no brain is found, which is a finding about the volume, ml is NaN and labels are empty.
    """

    def compute(volume: Volume) -> dict[str, Tensor]:
        try:
            found = segment(volume)
        except ValueError:
            return {
                "ml": torch.full((len(REGIONS),), math.nan, dtype=torch.float64),
                "labels": torch.empty(0).byte(),
            }
        ml = torch.tensor([found.ml[name] for name in REGIONS], dtype=torch.float64)
        return {"ml": ml, "labels": packed(found.labels)}

    return Measure(
        "tissue", fingerprint("tissue", VERSION, "labels"), METHOD, compute, kind="sizes"
    )


VOXELS, SPECTRUM, TISSUE = coarse(), spectrum(), tissue()


def packed(labels: Labels) -> Tensor:
    """Return labels (D, H, W) compressed to bytes (B,), a twentieth of their size in memory."""
    return torch.frombuffer(bytearray(zlib.compress(labels.tobytes(), 1)), dtype=torch.uint8)


def unpacked(values: Tensor, shape: Sequence[int]) -> Labels:
    """Return the labels (D, H, W) that were packed."""
    return np.frombuffer(zlib.decompress(values.numpy().tobytes()), np.uint8).reshape(shape)
