"""Networks applied to volumes: features of central slices (2.5D) or of the whole (3D); random,
calibrated networks.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from neuromf.data.resample import isotropic_grid, resample
from neuromf.data.template import mni152
from neuromf.data.volume import Volume
from neuromf.features.backbones import medicalnet, resnet
from neuromf.features.measure import PLANES
from neuromf.runtime.device import without_tf32

CENTRAL = (0.4, 0.6)  # of the slices of each plane, as in NV-Generate-CTMR's 2.5D FID
# subtracted from the three equal channels, blue first: RadImageNet's
CHANNEL_MEANS = (0.406, 0.456, 0.485)
# of prepared T1w volumes; MedicalNet's own would be each volume's: blind to shifts
VOXEL_MEAN, VOXEL_STD = (0.17, 0.29)
CALIBRATION_MM = 2.0


def central_slices(voxels: Tensor) -> dict[str, Tensor]:
    """Return the slices (S, H, W) in the middle fifth of each plane of a RAS volume (D, H, W)."""
    out = {}
    for plane, axis in zip(PLANES, (2, 1, 0), strict=True):
        n = voxels.shape[axis]
        first, end = int(CENTRAL[0] * n), max(int(CENTRAL[1] * n), int(CENTRAL[0] * n) + 1)
        out[plane] = voxels.movedim(axis, 0)[first:end]
    return out


def slice_features(
    network: nn.Module, device: torch.device
) -> Callable[[Volume], dict[str, Tensor]]:
    """Return the 2.5D features of a volume: plane -> (S, C), a network's spatial mean of
    each central slice.
    """

    @torch.inference_mode()
    def compute(volume: Volume) -> dict[str, Tensor]:
        slices = central_slices(torch.from_numpy(volume.voxels))
        with without_tf32():
            return {
                plane: spatial_mean(network(three_channels(x.to(device)))).float().cpu()
                for plane, x in slices.items()
            }

    return compute


def volume_features(
    network: nn.Module, device: torch.device
) -> Callable[[Volume], dict[str, Tensor]]:
    """Return the 3D features of a volume: `volume` -> (1, C)."""

    @torch.inference_mode()
    def compute(volume: Volume) -> dict[str, Tensor]:
        with without_tf32():
            return {"volume": spatial_mean(network(standardised(volume).to(device))).float().cpu()}

    return compute


def three_channels(images: Tensor) -> Tensor:
    """Return slices (S, H, W) as RadImageNet takes them: (S, 3, H, W), each
    channel minus its mean.
    """
    x = images[:, None].expand(-1, 3, -1, -1) - images.new_tensor(CHANNEL_MEANS).view(1, 3, 1, 1)
    return x.contiguous(memory_format=torch.channels_last)


def standardised(volume: Volume) -> Tensor:
    """Return a volume as MedicalNet takes it, (1, 1, D, H, W), with one mean and deviation
    for all volumes.
    """
    return (torch.from_numpy(volume.voxels)[None, None] - VOXEL_MEAN) / VOXEL_STD


def spatial_mean(y: Tensor) -> Tensor:
    """Return features (B, C) of a feature map (B, C, ...). Raises ValueError for anything else."""
    if not isinstance(y, Tensor) or y.ndim < 2:
        raise ValueError("an extractor returns features (B, C) or feature maps (B, C, ...)")
    return y.flatten(2).mean(2) if y.ndim > 2 else y


def random_network(kind: str, seed: int = 0) -> nn.Module:
    """Return an untrained network, `2.5d` or `3d`: weights from a seed, norms calibrated on the
    MNI152 template.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = resnet(50, 2) if kind == "2.5d" else medicalnet(10)

    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.momentum = None  # the plain mean over what it sees

    network.train()
    template = coarse_template()

    with torch.no_grad():
        if kind == "2.5d":
            for images in central_slices(torch.from_numpy(template.voxels)).values():
                network(three_channels(images))
        else:
            network(standardised(template))

    return network.eval()


def coarse_template() -> Volume:
    """Return the MNI152 T1 average at 2 mm."""
    template = mni152()
    d, h, w = (int(np.ceil(n / CALIBRATION_MM / 4) * 4) for n in template.voxels.shape)
    middle = (np.asarray(template.voxels.shape) - 1) / 2
    return resample(template, isotropic_grid(template, CALIBRATION_MM, (d, h, w), middle))
