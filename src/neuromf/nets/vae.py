"""Frozen VAEs: what the rest of the house knows of them, whatever network is inside."""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from safetensors.torch import save
from torch import Tensor, nn

from neuromf.device import Precision, autocast, check_precision
from neuromf.folders import local_path
from neuromf.nets.small_vae import SmallVAE, SmallVAEConfig, channels_last
from neuromf.nets.tiling import decode_in_tiles
from neuromf.nets.weights import WeightsError, loaded, read_state, state_sha256
from neuromf.records import read_record
from neuromf.run import write_bytes, write_json

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
KIND = "small-vae"
SMALL_BYTES = 14_000.0  # peak memory of decoding per voxel of the latent, see benchmarks/decode_memory.py


@runtime_checkable
class Autoencoder(Protocol):
    """A frozen VAE: volumes (B, 1, D, H, W) in [0, 1] to latents (B, channels, D/factor, ...) and back."""

    name: str
    channels: int
    factor: int

    @property
    def sha256(self) -> str:
        """Fingerprint of the weights."""

    def encode(self, x: Tensor) -> Tensor:
        """Return the posterior's mean."""

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the posterior's mean and standard deviation."""

    def decode(self, z: Tensor, max_memory_gb: float | None = None) -> Tensor:
        """Return volumes for latents, in tiles where the whole would need more memory."""


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
            raise ValueError(f"kind is {self.kind!r}, factor {self.factor}: {KIND!r} and 4 are needed")


class FrozenVAE:
    """An Autoencoder around a network with `encode(x) -> (mean, sigma)` and `decode(z)`.

    The network is put into evaluation mode and its parameters are frozen. Results are float32 on the network's device,
    whatever precision is computed in. Raises ValueError for shapes that the factor does not divide, or other channels.
    """

    def __init__(
        self,
        network: nn.Module,
        name: str,
        channels: int = 4,
        factor: int = 4,
        decode_bytes: float = 0.0,
        precision: Precision = "float32",
        device: torch.device | str = "cpu",
    ) -> None:
        self.network = network.to(device).eval().requires_grad_(False)
        self.name, self.channels, self.factor = name, channels, factor
        self.decode_bytes = decode_bytes  # peak memory of decoding, per voxel of the latent, in float32
        self.precision = check_precision(precision)
        self.device = torch.device(device)

    @functools.cached_property
    def sha256(self) -> str:
        """Fingerprint of the weights."""
        return state_sha256(self.network.state_dict())

    def encode(self, x: Tensor) -> Tensor:
        """Return the posterior's mean (B, channels, D/factor, H/factor, W/factor)."""
        return self.posterior(x)[0]

    @torch.no_grad()
    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the posterior's mean and standard deviation."""
        _refuse_type(x, "volumes")
        sizes = tuple(x.shape[2:])
        if x.ndim != 5 or x.shape[1] != 1 or any(n % self.factor or n == 0 for n in sizes):
            raise ValueError(
                f"volumes have shape {tuple(x.shape)}: (B, 1, D, H, W) with D, H, W divisible by {self.factor} is "
                f"needed; "
                "`prepare` crops and pads to such a size"
            )
        with self._autocast():
            mean, sigma = self.network.encode(x.to(self.device))  # type: ignore[operator]
        return mean.float(), sigma.float()

    @torch.no_grad()
    def decode(self, z: Tensor, max_memory_gb: float | None = None) -> Tensor:
        """Return volumes (B, 1, D, H, W); with `max_memory_gb`, in tiles blended over their overlaps."""
        _refuse_type(z, "latents")
        if z.ndim != 5 or z.shape[1] != self.channels:
            raise ValueError(
                f"latents have shape {tuple(z.shape)}, {self.name} takes (B, {self.channels}, D, H, W): were they "
                f"encoded "
                "with another VAE?"
            )
        z = z.to(self.device)
        bytes_each = self.decode_bytes * (0.5 if self.precision == "bfloat16" else 1.0)
        with self._autocast():
            return decode_in_tiles(self._decode, z, self.factor, bytes_each, max_memory_gb)

    def _decode(self, z: Tensor) -> Tensor:
        volume: Tensor = self.network.decode(z)  # type: ignore[operator]
        return volume.float()

    def _autocast(self) -> torch.autocast:
        return autocast(self.device, self.precision)


def _refuse_type(values: object, what: str) -> None:
    if not isinstance(values, Tensor) or not values.is_floating_point():
        kind = f"a tensor of {values.dtype}" if isinstance(values, Tensor) else f"a {type(values).__name__}"
        raise ValueError(
            f"{what} are {kind}: a tensor of floating-point numbers is needed, torch.from_numpy(x).float()"
        )


def load_vae(name: str, device: torch.device | str = "cpu", precision: Precision = "float32") -> FrozenVAE:
    """Return `small` (ships with the package), `maisi` or `maisi-v2` (fetched before, see `neuromf weights`), or
    the VAE
    in a folder that `train-vae` wrote, or in a MAISI checkpoint file.
    """
    if name in {"small", "small-vae"}:  # its key here, and the name that stores and models know it by
        return load_small(Path(str(resources.files("neuromf") / "weights" / "small-vae")), device, precision)
    if name in {"maisi", "maisi-v1", "maisi-v2", "maisi-random"}:
        from neuromf.nets.maisi import load_maisi

        return load_maisi(name, device, precision)
    path = local_path(name)
    if (path / CONFIG).is_file():
        return load_small(path, device, precision)
    if path.is_file():
        from neuromf.nets.maisi import maisi_from_file

        return maisi_from_file(path, device, precision)
    raise ValueError(
        f"vae={name}: small, maisi, maisi-v2, maisi-random (untrained, for measuring), a folder that `neuromf "
        f"train-vae` "
        "wrote, or a MAISI checkpoint"
    )


def load_small(folder: Path, device: torch.device | str = "cpu", precision: Precision = "float32") -> FrozenVAE:
    """Return the small VAE in a folder with config.json and model.safetensors."""
    config = read_record(folder / CONFIG, SmallVAEFile, "copy the folder again")
    network = loaded(lambda: SmallVAE(config.network), read_state(folder / WEIGHTS), str(folder / WEIGHTS))
    channels_last(network)
    vae = FrozenVAE(network, config.name, config.network.channels, 4, SMALL_BYTES, precision, device)
    if config.sha256 not in {"", vae.sha256}:
        raise WeightsError(
            f"{folder / WEIGHTS} has the fingerprint {vae.sha256[:16]}, {CONFIG} says {config.sha256[:16]}: "
            "the file was damaged, or is of another VAE"
        )
    return vae


def save_small(folder: Path, network: SmallVAE, config: SmallVAEConfig, name: str, half: bool = True) -> None:
    """Write a small VAE as model.safetensors (float16 unless `half` is false) and config.json."""
    dtype = torch.float16 if half else torch.float32
    state = {k: v.detach().to("cpu", dtype).contiguous() for k, v in network.state_dict().items()}
    write_bytes(folder / WEIGHTS, save(state))
    write_json(folder / CONFIG, asdict(SmallVAEFile(KIND, name, 4, config, state_sha256(state))))
