"""A light autoencoder for lesion masks, of factor 4: all of its convolutions are at the resolution
of the latents.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from neuromf.autoencoder.blocks import Gather, Scatter, channels_last
from neuromf.autoencoder.frozen import FrozenVAE, LatentSpace
from neuromf.pretrained.statedict import check_sha256, loaded, read_state, state_sha256
from neuromf.runtime.device import Precision
from neuromf.runtime.files import write_bytes, write_json
from neuromf.runtime.records import read_record

FACTOR = 4  # voxels of a mask per voxel of a latent, along each axis
VOXELS = FACTOR**3  # of a block
# Before training: latents are tanh(SCALE * cosines), log odds are SLOPE * (their inverse - 1/2).
SCALE, SLOPE = 0.2, 8.0
CONFIG, WEIGHTS = "config.json", "model.safetensors"
KIND = "mask-autoencoder"

# peak memory of decoding per voxel of the latent, see benchmarks/decode_memory.py
MASK_BYTES = 2_500.0


@dataclass(frozen=True)
class MaskAutoencoderConfig:
    """Sizes of a mask autoencoder."""

    channels: int = 4  # of a latent
    width: int = 48
    encoder_blocks: int = 1  # residual blocks
    decoder_blocks: int = 2

    def __post_init__(self) -> None:
        if min(self.channels, self.width) < 1 or min(self.encoder_blocks, self.decoder_blocks) < 0:
            raise ValueError(f"{self}: widths are 1 or more, numbers of blocks not negative")


@dataclass(frozen=True)
class MaskAutoencoderFile:
    """What config.json of a mask autoencoder holds."""

    kind: str
    name: str
    factor: int
    network: MaskAutoencoderConfig
    sha256: str  # fingerprint of the weights

    def __post_init__(self) -> None:
        if self.kind != KIND or self.factor != FACTOR:
            raise ValueError(
                f"kind is {self.kind!r}, factor {self.factor}: {KIND!r} and {FACTOR} are needed"
            )


class PlainResidual(nn.Module):
    """x plus two convolutions of it; the second starts at 0. There is no normalisation, which would
    amplify weak noise where there is no lesion.
    """

    def __init__(self, width: int, bias: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.SiLU(),
            nn.Conv3d(width, width, 3, padding=1, bias=bias),
            nn.SiLU(),
            nn.Conv3d(width, width, 3, padding=1, bias=bias),
        )
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Return x of the same shape."""
        out: Tensor = x + self.layers(x)
        return out


class MaskEncoder(nn.Module):
    """Masks (B, 1, D, H, W) to latents (B, channels, D/4, H/4, W/4): a few cosines of each block,
    and what a network adds to them.
    """

    def __init__(self, config: MaskAutoencoderConfig) -> None:
        super().__init__()
        width = config.width
        self.gather = nn.Sequential(Gather(), Gather())
        self.shortcut = nn.Conv3d(VOXELS, config.channels, 1, bias=False)
        self.layers = nn.Sequential(
            nn.Conv3d(VOXELS, width, 3, padding=1, bias=False),
            *(PlainResidual(width, bias=False) for _ in range(config.encoder_blocks)),
            nn.SiLU(),
            nn.Conv3d(width, config.channels, 1, bias=False),
        )
        with torch.no_grad():
            self.shortcut.weight.copy_(SCALE * cosines(config.channels))
            self.layers[-1].weight.mul_(0.1)  # type: ignore[operator]

    def forward(self, x: Tensor) -> Tensor:
        """Return latents between -1 and 1."""
        x = self.gather(x)
        return torch.tanh(self.shortcut(x) + self.layers(x))


class MaskDecoder(nn.Module):
    """Latents (B, channels, D, H, W) to log odds of lesion (B, 1, 4 D, 4 H, 4 W): those from
    the cosine coefficients alone, plus what a network adds to them.
    """

    def __init__(self, config: MaskAutoencoderConfig) -> None:
        super().__init__()
        width = config.width
        self.shortcut = nn.Conv3d(config.channels, VOXELS, 1)
        self.layers = nn.Sequential(
            nn.Conv3d(config.channels, width, 3, padding=1),
            *(PlainResidual(width, bias=True) for _ in range(config.decoder_blocks)),
            nn.SiLU(),
            nn.Conv3d(width, VOXELS, 1),
        )
        self.scatter = nn.Sequential(Scatter(), Scatter())
        with torch.no_grad():
            inverse = cosines(config.channels).transpose(0, 1) / SCALE
            self.shortcut.weight.copy_(SLOPE * inverse)
            self.shortcut.bias.fill_(-SLOPE / 2)  # type: ignore[union-attr]
            self.layers[-1].weight.mul_(0.1)  # type: ignore[operator]

    def forward(self, z: Tensor) -> Tensor:
        """Return the log odds."""
        found: Tensor = self.scatter(self.shortcut(z) + self.layers(z))
        return found


def cosines(count: int) -> Tensor:
    """Return the `count` slowest of the orthonormal cosines of a block of 4 x 4 x 4 voxels, as the
    weights (count, 64, 1, 1, 1) of a convolution over gathered blocks.

    The first four are the mean and the slope along each axis: what a plane through the block is
    described by.
    """
    n = torch.arange(FACTOR)
    waves = torch.cos((2 * n + 1) * torch.arange(FACTOR)[:, None] * math.pi / (2 * FACTOR))
    waves = waves / waves.norm(dim=1, keepdim=True)
    orders = sorted(itertools.product(range(FACTOR), repeat=3), key=lambda o: (sum(o), max(o), o))

    chosen = [torch.einsum("i,j,k->ijk", *(waves[o] for o in order)) for order in orders[:count]]
    gather = nn.Sequential(Gather(), Gather())
    found: Tensor = gather(torch.stack(chosen)[:, None])
    return found


class MaskAutoencoder(nn.Module):
    """Masks (B, 1, D, H, W) to latents (B, channels, D/4, H/4, W/4) between -1 and 1, and back.

    The encoder has no biases, so that the latent of an empty mask is 0, exactly and at the border
    of the volume too, and so is that of all that lies far from lesions.
    """

    def __init__(self, config: MaskAutoencoderConfig = MaskAutoencoderConfig()) -> None:
        super().__init__()
        self.encoder, self.decoder = MaskEncoder(config), MaskDecoder(config)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return latents, and 0 for their standard deviation."""
        z = self.encoder(x)
        return z, torch.zeros_like(z)

    def logits(self, z: Tensor) -> Tensor:
        """Return the log odds of lesion (B, 1, D, H, W)."""
        found: Tensor = self.decoder(z)
        return found

    def decode(self, z: Tensor) -> Tensor:
        """Return the probability of lesion (B, 1, D, H, W)."""
        return self.logits(z).sigmoid()


def new_mask_autoencoder(config: MaskAutoencoderConfig, seed: int) -> MaskAutoencoder:
    """Return an untrained mask autoencoder, a function of the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = MaskAutoencoder(config)
    channels_last(network)
    return network


def shipped() -> Path:
    """Return the folder of the mask autoencoder that ships with the package."""
    return Path(str(resources.files("neuromf") / "weights" / "masks"))


def load_mask_autoencoder(
    folder: Path,
    name: str,
    device: torch.device | str = "cpu",
    precision: Precision = "float32",
) -> FrozenVAE:
    """Return the mask autoencoder in a folder, whose latent space has the name given. Raises
    WeightsError where the weights are not those that config.json is of.
    """
    record = read_record(folder / CONFIG, MaskAutoencoderFile, "copy the folder again")
    path = folder / WEIGHTS
    network = loaded(lambda: MaskAutoencoder(record.network), read_state(path), str(path))
    check_sha256(path, state_sha256(network.state_dict()), record.sha256)

    channels_last(network)
    encoder = {k: v for k, v in network.state_dict().items() if k.startswith("encoder.")}
    space = LatentSpace(name, state_sha256(encoder), record.network.channels, FACTOR, "encoder")
    return FrozenVAE(
        network, name, space.channels, FACTOR, MASK_BYTES, precision, device, space=space
    )


def save_mask_autoencoder(
    folder: Path, network: MaskAutoencoder, config: MaskAutoencoderConfig, name: str
) -> None:
    """Write a mask autoencoder as model.safetensors (float16) and config.json, which comes last and
    marks the folder as complete.
    """
    state = {
        k: v.detach().to("cpu", torch.float16).contiguous() for k, v in network.state_dict().items()
    }
    record = MaskAutoencoderFile(KIND, name, FACTOR, config, state_sha256(state))
    write_bytes(folder / WEIGHTS, save(state))
    write_json(folder / CONFIG, asdict(record))
