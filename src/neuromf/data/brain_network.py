"""The brain in a whole head of any contrast, by a small network: it returns each voxel's distance
to the brain's surface.
"""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuromf.data.foreground import Mask, bounds, foreground, largest_piece
from neuromf.data.resample import grid_of, isotropic_grid, resample
from neuromf.data.volume import Volume, VolumeError, Voxels
from neuromf.runtime.files import write_bytes, write_json
from neuromf.runtime.records import read_record

if TYPE_CHECKING:
    from torch import nn

SPACING_MM = 3.0  # of the grid that the network sees
FARTHEST_MM = 10.0  # distances beyond are this
LEVELS = 3  # the network halves its grid so often
MARGIN_MM = 12.0  # of air around the head
LARGEST_MM = 400.0  # along an axis; a head with neck and shoulders is smaller
CONFIG, WEIGHTS, KIND = "config.json", "model.safetensors", "brain-network"


@dataclass(frozen=True)
class BrainNetworkConfig:
    """Channels of the network at each of its levels, from fine to coarse."""

    channels: tuple[int, ...] = (16, 32, 48, 64)

    def __post_init__(self) -> None:
        if len(self.channels) != LEVELS + 1 or min(self.channels) < 1:
            raise ValueError(f"channels are {self.channels}: {LEVELS + 1} numbers, each 1 or more")


@dataclass(frozen=True)
class BrainNetworkFile:
    """What config.json of a brain network holds."""

    kind: str
    network: BrainNetworkConfig
    sha256: str  # fingerprint of the weights

    def __post_init__(self) -> None:
        if self.kind != KIND:
            raise ValueError(f"kind is {self.kind!r}: {KIND!r} is needed")


def new_brain_network(config: BrainNetworkConfig = BrainNetworkConfig()) -> nn.Module:
    """Return an untrained network: heads (B, 1, D, H, W) on a grid of SPACING_MM, values in [0, 1],
    sides multiples of 8, to distances in units of FARTHEST_MM, negative inside the brain.
    """
    from monai.networks.nets import UNet

    return UNet(
        spatial_dims=3, in_channels=1, out_channels=1, channels=config.channels,
        strides=(2,) * LEVELS, num_res_units=1, norm=("instance", {"affine": True}), act="relu",
    )  # fmt: skip


@functools.lru_cache(maxsize=2)
def load_brain_network(folder: Path) -> nn.Module:
    """Return the network of a folder, float32 on the CPU. Raises WeightsError where the weights are
    not those that config.json is of.
    """
    from neuromf.pretrained.statedict import (
        WeightsError,
        check_sha256,
        loaded,
        read_state,
        state_sha256,
    )

    if not (folder / CONFIG).is_file():
        raise WeightsError(
            f"{folder} holds no {CONFIG}: preprocessing.strip.weights= names a folder that "
            "`neuromf train-skullstrip` wrote"
        )
    record = read_record(folder / CONFIG, BrainNetworkFile, "copy the folder again")
    path = folder / WEIGHTS
    network = loaded(lambda: new_brain_network(record.network), read_state(path), str(path))
    check_sha256(path, state_sha256(network.state_dict()), record.sha256)
    return network.eval()


def save_brain_network(folder: Path, network: nn.Module, config: BrainNetworkConfig) -> None:
    """Write a network as model.safetensors (float16) and config.json, which comes last and marks
    the folder as complete.
    """
    import torch
    from safetensors.torch import save

    from neuromf.pretrained.statedict import state_sha256

    state = {
        k: v.detach().to("cpu", torch.float16).contiguous() for k, v in network.state_dict().items()
    }
    write_bytes(folder / WEIGHTS, save(state))
    write_json(folder / CONFIG, asdict(BrainNetworkFile(KIND, config, state_sha256(state))))


def network_mask(volume: Volume, folder: Path) -> tuple[Mask, dict[str, Any]]:
    """Return the brain of a canonical volume, in its voxels, and what found it. Raises VolumeError
    where there is none.
    """
    head = on_grid(volume)
    distance = distances(load_brain_network(folder), head.voxels)
    inside = distance < 0
    if not inside.any():
        raise VolumeError("network: no brain is seen: is it a head, and are its axes right?")

    # Other pieces that are taken for brain are set to lie outside.
    kept = largest_piece(inside)
    closed = np.where(kept, np.minimum(distance, -0.1), np.where(inside, 1.0, distance))
    outside = Volume((FARTHEST_MM - closed).astype(np.float32), head.affine)  # 0 beyond the grid
    mask = resample(outside, grid_of(volume), smooth=False).voxels > FARTHEST_MM
    return mask, {"network": folder.name}


def on_grid(volume: Volume) -> Volume:
    """Return the head of a canonical volume on a grid of SPACING_MM along its own axes, values as
    `scaled` makes them. Raises VolumeError if it is too large for a head.
    """
    found = bounds(foreground(volume).mask)
    size = (found[1] - found[0] + 1) * np.asarray(volume.spacing)
    if size.max() > LARGEST_MM:
        raise VolumeError(f"network: the head measures {size.max():.0f} mm: are its voxels right?")
    step = 2**LEVELS
    cells = np.ceil((size + 2 * MARGIN_MM) / SPACING_MM / step).astype(int) * step
    d, h, w = cells.tolist()
    grid = isotropic_grid(volume, SPACING_MM, (d, h, w), found.mean(axis=0))
    coarse = resample(volume, grid)
    return Volume(scaled(coarse.voxels), coarse.affine)


def scaled(voxels: NDArray[np.float32]) -> Voxels:
    """Return intensities between their 0.5th and 99.5th percentile as [0, 1], those beyond
    clipped.
    """
    low, high = np.percentile(voxels, (0.5, 99.5))
    return np.clip((voxels - low) / max(float(high - low), 1e-12), 0, 1).astype(np.float32)


def distances(network: nn.Module, voxels: Voxels) -> Voxels:
    """Return the distance (D, H, W) in mm to the brain's surface, negative inside, of a head on the
    network's grid.
    """
    import torch

    with torch.no_grad():
        found = network(torch.from_numpy(np.ascontiguousarray(voxels))[None, None])
    return FARTHEST_MM * found[0, 0].numpy().clip(-1, 1)
