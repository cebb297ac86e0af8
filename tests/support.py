"""What several test files share: small networks that do not return zeros, and fields whose mathematics is known."""

import functools
import itertools
import os
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn

from neuromf.autoencoder.decoder import DecoderConfig, new_decoder
from neuromf.autoencoder.exchange import save_decoder
from neuromf.autoencoder.frozen import FrozenVAE, LatentSpace
from neuromf.autoencoder.small import SmallVAE, SmallVAEConfig, save_small
from neuromf.data.cohort import finish_cohort, save_entry
from neuromf.data.scan import Scan
from neuromf.data.splits import SplitConfig
from neuromf.data.template import mni152, mni152_mask
from neuromf.data.volume import Volume
from neuromf.flow.path import per_sample
from neuromf.nets import DualTimeUNet, UNetConfig

TINY = UNetConfig(
    channels=(16, 32),
    attention=(False, True),
    attention_head_channels=(0, 16),
    res_blocks=1,
    norm_groups=4,
)  # every kind of layer, 0.2 M parameters


def randomised(network: nn.Module, seed: int = 0) -> nn.Module:
    """Give weights that are zero at initialisation the usual spread: a derivative of 0 proves nothing."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                fan_in = parameter[0].numel()
                parameter.copy_(
                    torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
                    / fan_in**0.5
                )
            else:
                parameter.add_(
                    0.1 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
                )
    return network


def tiny_unet(dtype: torch.dtype = torch.float64, **changes) -> DualTimeUNet:
    torch.manual_seed(0)
    return randomised(DualTimeUNet(replace(TINY, **changes))).to(dtype)


class Mlp(nn.Module):
    """A small network on vectors (B, C), optionally with a second output."""

    def __init__(self, channels: int = 3, width: int = 16, head: bool = False) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(channels + 2, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.Tanh(),
            nn.Linear(width, channels),
        )
        self.head = nn.Linear(channels + 2, channels) if head else None

    def forward(self, z, t, r):
        features = torch.cat([z, t.unsqueeze(1), (t - r).unsqueeze(1)], 1)
        return (
            self.body(features) if self.head is None else (self.body(features), self.head(features))
        )


def mlp(**options) -> Mlp:
    torch.manual_seed(1)
    return Mlp(**options).double()


class Gaussian:
    """Data N(mu, s²) per coordinate, noise N(0, 1): marginal and average velocity in closed form."""

    def __init__(self, mu: Tensor, s: Tensor) -> None:
        self.mu, self.s = mu, s

    def spread(self, t: Tensor) -> Tensor:
        return ((1 - t) ** 2 * self.s**2 + t**2).sqrt()

    def velocity(self, z: Tensor, t: Tensor, r: Tensor) -> Tensor:
        """u = v at r = t, else the straight average over [r, t]."""
        t, r = per_sample(t, z), per_sample(r, z)
        centred = z - (1 - t) * self.mu
        instant = (t - (1 - t) * self.s**2) / self.spread(t) ** 2 * centred
        h = torch.where(t > r, t - r, 1.0)
        average = (1 - self.spread(r) / self.spread(t)) * centred / h
        return -self.mu + torch.where(t > r, average, instant)

    def data(self, z: Tensor, t: Tensor, r: Tensor) -> Tensor:
        return z - per_sample(t, z) * self.velocity(z, t, r)


def batch(
    *shape: int, seed: int = 3, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return x, noise of the given shape and t, r with every kind of row in turn: r < t, r = t, r = 0, the endpoint."""
    generator = torch.Generator().manual_seed(seed)
    x, noise = torch.randn(2, *shape, generator=generator, dtype=torch.float64).to(dtype)
    kinds = itertools.cycle([(0.7, 0.2), (0.4, 0.4), (0.6, 0.0), (1.0, 0.0)])
    t, r = torch.tensor([next(kinds) for _ in range(shape[0])], dtype=dtype).T
    return x, noise, t.contiguous(), r.contiguous()


def gradients(network: nn.Module) -> Tensor:
    """Return all gradients of a network in one vector."""
    return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])


def relative(a: Tensor, b: Tensor) -> float:
    """Return |a - b| / |b|."""
    return ((a - b).norm() / b.norm()).item()


REAL = Path(os.environ.get("NEUROMF_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


needs_real_data = pytest.mark.skipif(
    not (REAL / "t1").is_dir(), reason="real scans are not here (NEUROMF_TEST_DATA)"
)


def rotation(degrees: float, axis: int) -> np.ndarray:
    """A turn about one axis."""
    a, b = (i for i in range(3) if i != axis)
    turn = np.eye(3)
    turn[a, a] = turn[b, b] = np.cos(np.deg2rad(degrees))
    turn[a, b], turn[b, a] = -np.sin(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return turn


def placed(
    spacing=(2.0, 2.0, 2.0),
    degrees=0.0,
    flips=(1, 1, 1),
    order=(0, 1, 2),
    origin=(10.0, -20.0, 5.0),
) -> np.ndarray:
    """An affine: voxel sizes, a turn about all axes, flipped and permuted axes."""
    turn = rotation(degrees, 0) @ rotation(degrees / 2, 1) @ rotation(-degrees, 2)
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.eye(3)[:, list(order)] @ np.diag(np.array(flips) * np.array(spacing))
    affine[:3, 3] = origin
    return affine


AFFINES = {
    "straight": placed(),
    "oblique": placed(degrees=15.0),
    "anisotropic": placed(spacing=(1.2, 2.0, 4.0)),
    "flipped": placed(flips=(-1, 1, -1)),
    "left-handed": placed(flips=(-1, 1, 1), degrees=8.0),
    "permuted": placed(order=(2, 0, 1), flips=(1, -1, 1), spacing=(1.5, 2.0, 2.5)),
    "all of it": placed(order=(1, 2, 0), flips=(-1, -1, 1), spacing=(1.0, 2.2, 3.0), degrees=17.0),
}


EGG_MM = np.array([64.0, 76.0, 60.0])  # half axes of `egg`, a brain of 1.2 l


EGG_CENTRE = np.array([3.0, -12.0, 8.0])


def egg(affine: np.ndarray, margin_mm: float = 12.0, seed: int = 0) -> Volume:
    """A stripped "brain" that is the same in space whatever grid it is on: an ellipsoid with a smooth pattern in it."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    reach = np.abs(np.linalg.inv(affine[:3, :3])) @ (EGG_MM + margin_mm)
    shape = np.ceil(2 * reach).astype(int)
    affine = affine.copy()
    affine[:3, 3] = EGG_CENTRE - affine[:3, :3] @ ((shape - 1) / 2)
    points = (
        np.tensordot(affine[:3, :3], np.indices(shape), axes=(1, 0))
        + affine[:3, 3][:, None, None, None]
    )
    x, y, z = (points - EGG_CENTRE[:, None, None, None]) / EGG_MM[:, None, None, None]
    inside = np.clip((1 - np.sqrt(x**2 + y**2 + z**2)) * 8, 0, 1)
    pattern = 600 + 150 * np.sin(4 * x + 1) + 120 * np.cos(5 * y) + 100 * np.sin(3 * z + seed)
    assert sizes.min() > 0
    return Volume((inside * pattern).astype(np.float32), affine)


def head(noise=0.0):
    """The egg in a scalp of 4 l, in air."""
    brain = egg(placed(spacing=(3, 3, 3)), margin_mm=45)
    points = (
        np.tensordot(brain.affine[:3, :3], np.indices(brain.voxels.shape), axes=(1, 0))
        + brain.affine[:3, 3][:, None, None, None]
    )
    radius = (
        ((points - EGG_CENTRE[:, None, None, None]) / (EGG_MM + 28)[:, None, None, None]) ** 2
    ).sum(0)
    voxels = np.where(brain.voxels > 0, brain.voxels, np.where(radius < 1, 300, 0)).astype(
        np.float32
    )
    rng = np.random.default_rng(0)
    return Volume(
        voxels + noise * np.abs(rng.standard_normal(voxels.shape)).astype(np.float32), brain.affine
    )


@functools.cache
def coarse_template(what="t1") -> Volume:
    """The MNI152 average, or the map of a tissue, at 4 mm."""
    fine = mni152(what)
    smooth = ndimage.gaussian_filter(fine.voxels, 4 / 2.355)
    return Volume(np.ascontiguousarray(smooth[::4, ::4, ::4]), fine.affine @ np.diag([4, 4, 4, 1]))


@functools.cache
def coarse_mask() -> np.ndarray:
    """Its brain."""
    return np.ascontiguousarray(mni152_mask()[::4, ::4, ::4])


def save_nifti(path: Path, volume: Volume, dtype=np.float32) -> Path:
    """Write a volume as it is, without scaling."""
    image = nib.Nifti1Image(volume.voxels.astype(dtype), volume.affine)
    image.set_sform(volume.affine, 1)
    image.set_qform(None, 0)
    nib.save(image, path)
    return path


def tiny_cohort(
    folder: Path, n: int = 8, shape=(24, 28, 24), val: float = 0.25, test: float = 0.25
) -> Path:
    """A folder as `prepare` writes it, of small smooth volumes."""
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    for index in range(n):
        rng = np.random.default_rng(index)
        noise = ndimage.gaussian_filter(rng.standard_normal(shape), 3)
        grid = np.stack(np.meshgrid(*(np.linspace(-1.3, 1.3, m) for m in shape), indexing="ij"))
        voxels = np.where(
            (grid**2).sum(0) < 1, np.clip(0.5 + noise / noise.std() / 6, 0.05, 1), 0
        ).astype(np.float32)
        volume = Volume(voxels, placed(spacing=(6.0, 6.0, 6.0)))
        records.append(
            save_entry(
                folder,
                Scan(f"/source/{index}.nii", f"s{index}", dataset="tiny"),
                volume,
                {"notes": [], "affine": volume.affine.tolist(), "shape": list(shape)},
            )
        )
    finish_cohort(folder, records, SplitConfig(val, test))
    return folder


TINY_VAE = SmallVAEConfig(half=8, quarter=8, full=4, encoder_blocks=(1, 1), decoder_blocks=(1, 1))


def tiny_vae_network(seed: int = 0) -> SmallVAE:
    """A small VAE that was never trained, but whose blocks are not the identity."""
    torch.manual_seed(seed)
    return randomised(SmallVAE(TINY_VAE), seed)


def tiny_vae(folder: Path, seed: int = 0) -> Path:
    """A folder with such a VAE."""
    folder.mkdir(parents=True, exist_ok=True)
    save_small(folder, tiny_vae_network(seed), TINY_VAE, "tiny", half=False)
    return folder


TINY_DECODER = DecoderConfig(quarter=8, half=4, quarter_blocks=1)


def tiny_decoder(folder: Path, vae: FrozenVAE, seed: int = 0) -> Path:
    """A folder with a decoder for the latents of a VAE."""
    folder.mkdir(parents=True, exist_ok=True)
    network = randomised(new_decoder(TINY_DECODER, vae.channels, seed), seed)
    save_decoder(folder, network, TINY_DECODER, "fast", vae.space, vae.whole)
    return folder


STORE_VAE = LatentSpace("tiny", "a" * 64, 4, 4)


LATENT_SHAPE = (4, 5, 6, 5)


def known_latents(n=12):
    """Latents whose channels have unlike, correlated and skewed distributions."""
    generator = torch.Generator().manual_seed(0)
    mix = torch.tensor([[1.0, 0, 0, 0], [0.8, 0.6, 0, 0], [0, 0, 2, 0], [0, 0.5, 0, 0.1]])
    base = torch.randn(n, *LATENT_SHAPE, generator=generator)
    base[:, 2] = base[:, 2].exp()
    offset = torch.tensor([0.0, 5, -3, 100]).view(-1, 1, 1, 1)
    return torch.einsum("ij,njdhw->nidhw", mix, base) + offset
