"""The small VAE that ships with the package: 2.4 M parameters, factor 4, made for a CPU."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor, nn

from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.pretrained.statedict import WeightsError, loaded, read_state, state_sha256
from neuromf.runtime.device import Precision
from neuromf.runtime.files import write_bytes, write_json
from neuromf.runtime.records import read_record

LOG_SIGMA = (-6.0, 2.0)  # limits of the predicted log standard deviation


@dataclass(frozen=True)
class SmallVAEConfig:
    """Sizes of the small VAE; the factor is 4 along each axis."""

    channels: int = 4  # of a latent
    half: int = 48  # width at half resolution
    quarter: int = 96  # width at the resolution of the latents
    full: int = 16  # width at full resolution, in the decoder alone
    encoder_blocks: tuple[int, int] = (1, 1)  # residual blocks at half and quarter resolution
    decoder_blocks: tuple[int, int] = (2, 3)  # at quarter and half resolution

    def __post_init__(self) -> None:
        if min(self.channels, self.half, self.quarter, self.full) < 1:
            raise ValueError(f"{self}: widths are 1 or more")


class SmallVAE(nn.Module):
    """Volumes (B, 1, D, H, W) in [0, 1] to latents (B, 4, D/4, H/4, W/4) and back.

    Normalisation is over the channels of each voxel, never over space. A patch, a tile and a whole
    volume therefore give the same values except at borders, so the VAE can be trained on patches
    and decode in tiles.
    """

    def __init__(self, config: SmallVAEConfig = SmallVAEConfig()) -> None:
        super().__init__()
        half, quarter, full = config.half, config.quarter, config.full
        self.encoder = nn.Sequential(
            Gather(),
            conv(8, half),
            *(Residual(half) for _ in range(config.encoder_blocks[0])),
            nn.Conv3d(half, quarter, 3, stride=2, padding=1),
            *(Residual(quarter) for _ in range(config.encoder_blocks[1])),
            ChannelNorm(quarter),
            nn.SiLU(),
            nn.Conv3d(quarter, 2 * config.channels, 1),
        )
        self.decoder = nn.Sequential(
            conv(config.channels, quarter),
            *(Residual(quarter) for _ in range(config.decoder_blocks[0])),
            nn.Upsample(scale_factor=2, mode="nearest"),
            conv(quarter, half),
            *(Residual(half) for _ in range(config.decoder_blocks[1])),
            ChannelNorm(half),
            nn.SiLU(),
            conv(half, 8 * full),
            Scatter(),
            nn.SiLU(),
            conv(full, full),
            nn.SiLU(),
            conv(full, 1),
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the posterior's mean and standard deviation, each (B, 4, D/4, H/4, W/4)."""
        mean, log_sigma = self.encoder(x).chunk(2, dim=1)
        return mean, log_sigma.clamp(*LOG_SIGMA).exp()

    def decode(self, z: Tensor) -> Tensor:
        """Return volumes (B, 1, D, H, W) for latents."""
        volume: Tensor = self.decoder(z)
        return volume


class ChannelNorm(nn.Module):
    """Root-mean-square norm over the channels of each voxel (Zhang and Sennrich 2019)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Return x of the same shape."""
        scale = x.float().square().mean(1, keepdim=True).add(1e-6).rsqrt()
        return x * scale.to(x.dtype) * self.weight.to(x.dtype).view(-1, 1, 1, 1)


class Residual(nn.Module):
    """x plus two convolutions of it; the second starts at 0, so that the block starts
    as the identity.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ChannelNorm(width),
            nn.SiLU(),
            conv(width, width),
            ChannelNorm(width),
            nn.SiLU(),
            conv(width, width),
        )
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Return x of the same shape."""
        out: Tensor = x + self.layers(x)
        return out


class Gather(nn.Module):
    """(B, C, D, H, W) to (B, 8 C, D/2, H/2, W/2): each block of 2 x 2 x 2
    voxels becomes channels.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the gathered tensor."""
        b, c, d, h, w = x.shape
        x = x.view(b, c, d // 2, 2, h // 2, 2, w // 2, 2)
        return x.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(b, 8 * c, d // 2, h // 2, w // 2)


class Scatter(nn.Module):
    """The inverse of Gather."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the scattered tensor."""
        b, c, d, h, w = x.shape
        x = x.reshape(b, c // 8, 2, 2, 2, d, h, w)
        return x.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(b, c // 8, 2 * d, 2 * h, 2 * w)


def channels_last(network: nn.Module) -> None:
    """Store a network's weights so that convolutions run with channels last, which is four
    times as fast on a CPU.
    """
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]


def conv(inputs: int, outputs: int) -> nn.Conv3d:
    """Return a convolution of 3 x 3 x 3 that keeps the size."""
    return nn.Conv3d(inputs, outputs, 3, padding=1)


def gradient_l1(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean absolute difference of the finite differences of two volumes (B, 1, D, H, W),
    over three axes.
    """
    total = a.new_zeros(())
    for axis in (2, 3, 4):
        total = total + F.l1_loss(a.diff(dim=axis), b.diff(dim=axis))
    return total / 3


def kl_to_standard_normal(mean: Tensor, sigma: Tensor) -> Tensor:
    """Return KL(N(mean, sigma²) || N(0, 1)), nats, mean over all elements."""
    return 0.5 * (mean.square() + sigma.square() - 1 - 2 * sigma.log()).mean()


CONFIG = "config.json"


WEIGHTS = "model.safetensors"


KIND = "small-vae"


# peak memory of decoding per voxel of the latent, see benchmarks/decode_memory.py
SMALL_BYTES = 14_000.0


@dataclass(frozen=True)
class SmallVAEFile:
    """What config.json of a small VAE holds."""

    kind: str
    name: str
    factor: int
    network: SmallVAEConfig
    sha256: str = ""  # fingerprint of the weights; earlier versions did not write it

    def __post_init__(self) -> None:
        if self.kind != KIND or self.factor != 4:
            raise ValueError(
                f"kind is {self.kind!r}, factor {self.factor}: {KIND!r} and 4 are needed"
            )


def load_small(
    folder: Path, device: torch.device | str = "cpu", precision: Precision = "float32"
) -> FrozenVAE:
    """Return the small VAE in a folder with config.json and model.safetensors."""
    config = read_record(folder / CONFIG, SmallVAEFile, "copy the folder again")
    network = loaded(
        lambda: SmallVAE(config.network), read_state(folder / WEIGHTS), str(folder / WEIGHTS)
    )
    channels_last(network)
    vae = FrozenVAE(
        network, config.name, config.network.channels, 4, SMALL_BYTES, precision, device
    )
    if config.sha256 not in {"", vae.sha256}:
        raise WeightsError(
            f"{folder / WEIGHTS} has the fingerprint {vae.sha256[:16]}, {CONFIG} says "
            f"{config.sha256[:16]}: the file was damaged, or is of another VAE"
        )

    return vae


def save_small(
    folder: Path, network: SmallVAE, config: SmallVAEConfig, name: str, half: bool = True
) -> None:
    """Write a small VAE as model.safetensors (float16 unless `half` is false) and config.json."""
    dtype = torch.float16 if half else torch.float32
    state = {k: v.detach().to("cpu", dtype).contiguous() for k, v in network.state_dict().items()}
    write_bytes(folder / WEIGHTS, save(state))
    write_json(folder / CONFIG, asdict(SmallVAEFile(KIND, name, 4, config, state_sha256(state))))
