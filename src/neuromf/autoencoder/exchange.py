"""Decoders by themselves: a folder that holds a decoder and names the latent space it is for, and a
VAE whose decoder is replaced by another one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from neuromf.autoencoder.blocks import channels_last
from neuromf.autoencoder.decoder import FACTOR, FAST_BYTES, DecoderConfig, FastDecoder
from neuromf.autoencoder.frozen import FrozenVAE, LatentSpace, check_space
from neuromf.pretrained.statedict import check_sha256, loaded, read_state, state_sha256
from neuromf.runtime.device import Precision
from neuromf.runtime.files import write_bytes, write_json
from neuromf.runtime.records import read_record

CONFIG, WEIGHTS = "config.json", "model.safetensors"
KIND = "decoder"


@dataclass(frozen=True)
class DecoderFile:
    """What config.json of a decoder holds."""

    kind: str
    name: str
    space: LatentSpace  # the latents it decodes
    network: DecoderConfig
    sha256: str  # fingerprint of the decoder's weights
    earlier: tuple[str, ...] = ()  # whole VAEs by which version 0.1 named this latent space

    def __post_init__(self) -> None:
        if self.kind != KIND:
            raise ValueError(f"kind is {self.kind!r}: {KIND!r} is needed")
        if self.space.of != "encoder" or not self.space.sha256:
            raise ValueError("space: the fingerprint of an encoder is needed")
        check_factor(self.space)


class DecoderAlone(nn.Module):
    """The network of a decoder without its encoder."""

    def __init__(self, decoder: FastDecoder, name: str, space: LatentSpace) -> None:
        super().__init__()
        self.decoder = decoder
        self.told = (
            f"{name} holds a decoder and no encoder: encode with the VAE of its latents, "
            f"{space.name} (encoder {space.sha256[:16]}), vae={space.name} decoder={name} where a "
            "command takes both"
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Raise ValueError, naming the VAE that encodes."""
        raise ValueError(self.told)

    def decode(self, z: Tensor) -> Tensor:
        """Return volumes (B, 1, D, H, W) for latents."""
        volume: Tensor = self.decoder(z)
        return volume


class Exchanged(nn.Module):
    """The encoder of one network with the decoder of another."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encodes, self.decodes = encoder, decoder

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the posterior's mean and standard deviation."""
        found: tuple[Tensor, Tensor] = self.encodes.encode(x)  # type: ignore[operator]
        return found

    def decode(self, z: Tensor) -> Tensor:
        """Return volumes (B, 1, D, H, W) for latents."""
        volume: Tensor = self.decodes.decode(z)  # type: ignore[operator]
        return volume


def check_factor(space: LatentSpace) -> None:
    """Raise ValueError unless fast decoders can be made for a latent space."""
    if space.factor != FACTOR:
        raise ValueError(
            f"latents of {space.name} have the factor {space.factor}: fast decoders are made for "
            f"factor {FACTOR}, as the small VAE and MAISI have it"
        )


def with_decoder(vae: FrozenVAE, decoder: FrozenVAE) -> FrozenVAE:
    """Return the VAE that encodes as `vae` does and decodes as `decoder` does. Raises ValueError
    if they have different latent spaces.
    """
    advice = f"train one for this VAE, `neuromf train-decoder vae={vae.name}`"
    check_space(decoder, vae.space, "decoder= was asked to decode latents of", advice)
    return FrozenVAE(
        Exchanged(vae.network, decoder.network),
        f"{vae.name} decoded by {decoder.name}",
        vae.channels,
        vae.factor,
        decoder.decode_bytes,
        vae.precision,
        vae.device,
        ("decodes.",),
        space=vae.space,
        earlier=vae.whole,
    )


def load_decoder(
    folder: Path, device: torch.device | str = "cpu", precision: Precision = "float32"
) -> FrozenVAE:
    """Return the decoder in a folder with config.json and model.safetensors. It decodes, and has
    the latent space of its encoder, but encoding raises ValueError.
    """
    record = read_record(folder / CONFIG, DecoderFile, "copy the folder again")
    path = folder / WEIGHTS
    network = loaded(
        lambda: FastDecoder(record.network, record.space.channels), read_state(path), str(path)
    )
    check_sha256(path, state_sha256(network.state_dict()), record.sha256)

    channels_last(network)
    return frozen_decoder(network, record.name, record.space, record.earlier, precision, device)


def frozen_decoder(
    network: FastDecoder,
    name: str,
    space: LatentSpace,
    earlier: tuple[str, ...] = (),
    precision: Precision = "float32",
    device: torch.device | str = "cpu",
) -> FrozenVAE:
    """Return a decoder as the rest of the package knows it."""
    return FrozenVAE(
        DecoderAlone(network, name, space),
        name,
        space.channels,
        space.factor,
        FAST_BYTES,
        precision,
        device,
        space=space,
        earlier=earlier,
    )


def save_decoder(
    folder: Path,
    network: FastDecoder,
    config: DecoderConfig,
    name: str,
    space: LatentSpace,
    earlier: tuple[str, ...] = (),
) -> None:
    """Write a decoder as model.safetensors (float16) and config.json, which comes last and marks
    the folder as complete.
    """
    state = {
        k: v.detach().to("cpu", torch.float16).contiguous() for k, v in network.state_dict().items()
    }
    record = DecoderFile(KIND, name, space, config, state_sha256(state), earlier)
    write_bytes(folder / WEIGHTS, save(state))
    write_json(folder / CONFIG, asdict(record))
