"""A small network that segments lesions: its training on patches, and what it finds in a volume."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neuromf.evaluation.lesion_pairs import LesionPair
from neuromf.runtime.randomness import Purpose, generator

CHANNELS = (8, 16, 32, 32)
STRIDES = (1, 2, 2)  # the first level at full resolution: at 2 mm small lesions are a few voxels
FACTOR = math.prod(STRIDES)
OVERLAP = 0.25  # of neighbouring patches when a whole volume is segmented
FOREGROUND = 0.7  # share of patches that lie around a lesion voxel; others around any brain voxel
GAMMA, GAIN, SHIFT, NOISE = 0.15, 0.15, 0.15, 0.1  # standard deviations of intensity augmentation


@dataclass(frozen=True)
class SegmentationConfig:
    """How the network is trained."""

    updates: int = 300
    batch: int = 2
    patch: int = 48  # voxels a side
    lr: float = 3e-3  # of Adam; falls to 0 as a polynomial
    device: str = "auto"

    def __post_init__(self) -> None:
        if min(self.updates, self.batch) < 1 or not 0 < self.lr < 1:
            raise ValueError(
                f"updates {self.updates}, batch {self.batch}, lr {self.lr}: updates and batch are "
                "1 or more, lr between 0 and 1"
            )
        if self.patch < 2 * FACTOR or self.patch % FACTOR:
            raise ValueError(
                f"patch is {self.patch}: a multiple of {FACTOR} voxels, {2 * FACTOR} or more"
            )


def new_network(seed: int) -> nn.Module:
    """Return the network, a U-Net from (B, 1, D, H, W) to logits of the same shape, with weights
    drawn from `seed`; torch's own stream is left as it was.
    """
    from monai.networks.nets import UNet

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: nn.Module = UNet(3, 1, 1, CHANNELS, STRIDES)
    return network


def train(
    sources: Sequence[Sequence[LesionPair]],
    config: SegmentationConfig,
    stream: Sequence[int],
    device: torch.device,
) -> nn.Module:
    """Return a network trained on pairs from several sources, which contribute equally whatever
    their numbers are; a function of its arguments alone on one machine.

    `stream` numbers the training: weights, patches and augmentation are drawn from it.
    """
    from monai.losses import DiceCELoss

    chance = generator(Purpose.SEGMENTATION, *stream)
    network = new_network(int(torch.randint(2**31, (), generator=chance))).to(device).train()
    # over the whole batch, so that a patch without lesion does not make Dice 0 on its own
    criterion = DiceCELoss(sigmoid=True, batch=True)
    optimiser = torch.optim.Adam(network.parameters(), lr=config.lr)

    for update in range(config.updates):
        for group in optimiser.param_groups:
            group["lr"] = config.lr * (1 - update / config.updates) ** 0.9
        x, y = draw_batch(sources, config, chance)
        loss = criterion(network(x.to(device)), y.to(device))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimiser.step()

    return network.eval()


def draw_batch(
    sources: Sequence[Sequence[LesionPair]], config: SegmentationConfig, chance: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return images and masks (B, 1, P, P, P), float32, augmented."""
    drawn = []
    for _ in range(config.batch):
        pairs = sources[_below(len(sources), chance)]
        pair = pairs[_below(len(pairs), chance)]
        drawn.append(augmented(*draw_patch(pair, config.patch, chance), chance))
    x, y = (torch.stack(parts).unsqueeze(1) for parts in zip(*drawn, strict=True))
    return x, y


def draw_patch(
    pair: LesionPair, side: int, chance: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Return image, mask and brain (side, side, side) of a patch, around a lesion voxel with the
    probability `FOREGROUND`, otherwise around any voxel of the brain.
    """
    wants_lesion = _uniform(chance) < FOREGROUND and bool(pair.lesion.any())
    candidates = torch.nonzero(pair.lesion if wants_lesion else pair.brain)
    centre = candidates[_below(len(candidates), chance)]
    window = []
    for middle, size in zip(centre.tolist(), pair.image.shape, strict=True):
        # the voxel lies in the middle half of the patch, not always in its very middle
        start = middle - side // 4 - _below(side // 2, chance)
        start = min(max(start, 0), size - side)
        window.append(slice(start, start + side))
    at = tuple(window)
    return pair.image[at].float(), pair.lesion[at].float(), pair.brain[at]


def augmented(
    image: Tensor, lesion: Tensor, brain: Tensor, chance: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return a patch, left and right exchanged in half of all cases, its intensities changed in
    gain, level, gamma and noise; voxels outside the brain stay 0.
    """
    gamma, gain, shift = torch.randn(3, generator=chance).tolist()
    noise = torch.randn(image.shape, generator=chance)
    # intensities are about -3 to 3 in the brain: gamma acts on them as fractions of that range
    fraction = ((image + 4) / 8).clamp(0, 1) ** math.exp(GAMMA * gamma)
    changed = (fraction * 8 - 4) * math.exp(GAIN * gain) + SHIFT * shift + NOISE * noise
    changed = torch.where(brain, changed, 0.0)
    if _uniform(chance) < 0.5:
        return changed.flip(0), lesion.flip(0)
    return changed, lesion


@torch.no_grad()
def segment(network: nn.Module, pair: LesionPair, side: int) -> NDArray[np.bool_]:
    """Return the lesion that a network finds in an image, (D, H, W), within the brain; seen in
    overlapping patches of `side` voxels, as in training.
    """
    from monai.inferers import sliding_window_inference

    device = next(network.parameters()).device
    x = pair.image.float()[None, None].to(device)
    logits = sliding_window_inference(x, side, 4, network, OVERLAP, mode="gaussian")
    found: NDArray[np.bool_] = ((logits[0, 0].cpu() > 0) & pair.brain).numpy()
    return found


def _below(n: int, chance: torch.Generator) -> int:
    return int(torch.randint(n, (), generator=chance))


def _uniform(chance: torch.Generator) -> float:
    return float(torch.rand((), generator=chance))
