"""The small VAE that ships with the package: 2.4 M parameters, factor 4, made for a CPU."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor, nn

from neuromf.autoencoder.blocks import ChannelNorm, Gather, Residual, Scatter, channels_last, conv
from neuromf.autoencoder.decoder import FAST_BYTES, DecoderConfig, FastDecoder
from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.pretrained.statedict import check_sha256, loaded, read_state, state_sha256
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
    and decode in tiles. With `decoder`, a fast decoder of these sizes takes the place of the one
    that is trained together with the encoder.
    """

    def __init__(
        self, config: SmallVAEConfig = SmallVAEConfig(), decoder: DecoderConfig | None = None
    ) -> None:
        super().__init__()
        half, quarter = config.half, config.quarter
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
        self.decoder = (
            joint_decoder(config) if decoder is None else FastDecoder(decoder, config.channels)
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the posterior's mean and standard deviation, each (B, 4, D/4, H/4, W/4)."""
        mean, log_sigma = self.encoder(x).chunk(2, dim=1)
        return mean, log_sigma.clamp(*LOG_SIGMA).exp()

    def decode(self, z: Tensor) -> Tensor:
        """Return volumes (B, 1, D, H, W) for latents."""
        volume: Tensor = self.decoder(z)
        return volume


def joint_decoder(config: SmallVAEConfig) -> nn.Sequential:
    """Return the decoder that is trained together with the encoder."""
    half, quarter, full = config.half, config.quarter, config.full
    return nn.Sequential(
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
    decoder: DecoderConfig | None = None  # a fast decoder, in place of the network's own
    earlier: tuple[str, ...] = ()  # other VAEs with this encoder, by which version 0.1 named it

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
        lambda: SmallVAE(config.network, config.decoder),
        read_state(folder / WEIGHTS),
        str(folder / WEIGHTS),
    )
    channels_last(network)
    memory = SMALL_BYTES if config.decoder is None else FAST_BYTES
    vae = FrozenVAE(
        network,
        config.name,
        config.network.channels,
        4,
        memory,
        precision,
        device,
        earlier=config.earlier,
    )
    if config.sha256:
        check_sha256(folder / WEIGHTS, vae.sha256, config.sha256)
    return vae


def save_small(
    folder: Path,
    network: SmallVAE,
    config: SmallVAEConfig,
    name: str,
    half: bool = True,
    decoder: DecoderConfig | None = None,
    earlier: tuple[str, ...] = (),
) -> None:
    """Write a small VAE as model.safetensors (float16 unless `half` is false) and config.json.
    `decoder` are the sizes of its fast decoder, where it has one.
    """
    dtype = torch.float16 if half else torch.float32
    state = {k: v.detach().to("cpu", dtype).contiguous() for k, v in network.state_dict().items()}
    record = SmallVAEFile(KIND, name, 4, config, state_sha256(state), decoder, earlier)
    write_bytes(folder / WEIGHTS, save(state))
    write_json(folder / CONFIG, asdict(record))
