"""Frozen VAEs: what the rest of the package knows of them, whatever network is inside."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from neuromf.autoencoder.tiling import decode_in_tiles
from neuromf.pretrained.statedict import state_sha256
from neuromf.runtime.device import Precision, autocast, check_precision


@runtime_checkable
class Autoencoder(Protocol):
    """A frozen VAE: volumes (B, 1, D, H, W) in [0, 1] to latents (B, channels,
    D/factor, ...) and back.
    """

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
        """Return volumes for latents, in tiles if the whole would need more memory."""


class FrozenVAE:
    """An Autoencoder around a network with `encode(x) -> (mean, sigma)` and `decode(z)`.

    The network is put into evaluation mode and its parameters are frozen. Results are float32 on
    the network's device, whatever the precision of the computation. Raises ValueError for sizes
    that the factor does not divide, or another number of channels.
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
        decoder: tuple[str, ...] = ("decoder.",),
        space: LatentSpace | None = None,
        earlier: tuple[str, ...] = (),
    ) -> None:
        self.network = network.to(device).eval().requires_grad_(False)
        self.name, self.channels, self.factor = name, channels, factor
        # peak memory of decoding, per voxel of the latent, in float32
        self.decode_bytes = decode_bytes
        self.precision = check_precision(precision)
        self.device = torch.device(device)
        self.decoder = decoder  # prefixes of the decoder's weights
        self._space = space  # where the network's own weights do not tell
        self._earlier = earlier

    @contextlib.contextmanager
    def on(self, device: torch.device) -> Iterator[FrozenVAE]:
        """Hold the network on a device while the body runs, and bring it back where it was: on an
        accelerator it takes memory for as long as it decodes, and no longer.
        """
        home = self.device
        try:
            self.network.to(device)
            self.device = device
            yield self
        finally:
            self.network.to(home)
            self.device = home

    def decode_gb(self, sizes: tuple[int, ...], max_memory_gb: float) -> float:
        """Return an estimate in GB of what decoding one latent of these sizes (D, H, W) takes, the
        weights included, with tiles of at most `max_memory_gb`.
        """
        weights = sum(p.numel() * p.element_size() for p in self.network.parameters())
        whole = self._bytes_each * math.prod(sizes)
        return weights / 1e9 + min(whole / 1e9, max_memory_gb)

    @functools.cached_property
    def sha256(self) -> str:
        """Fingerprint of the weights."""
        return state_sha256(self.network.state_dict())

    @functools.cached_property
    def space(self) -> LatentSpace:
        """The latent space: fingerprint of the encoder alone."""
        if self._space is not None:
            return self._space
        state = self.network.state_dict()
        encoder = {k: v for k, v in state.items() if not k.startswith(self.decoder)}
        sha256 = state_sha256(encoder)
        return LatentSpace(self.name, sha256, self.channels, self.factor, "encoder")

    @property
    def whole(self) -> tuple[str, ...]:
        """Fingerprints of this VAE, and of others with the same encoder: version 0.1 named a latent
        space by a whole VAE.
        """
        return (self.sha256, *(s for s in self._earlier if s != self.sha256))

    @functools.cached_property
    def decoder_sha256(self) -> str:
        """Fingerprint of the decoder's weights."""
        state = self.network.state_dict()
        return state_sha256({k: v for k, v in state.items() if k.startswith(self.decoder)})

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
                f"volumes have shape {tuple(x.shape)}: (B, 1, D, H, W) with D, H, W divisible by "
                f"{self.factor} is needed; `prepare` crops and pads to such a size"
            )
        with self._autocast():
            mean, sigma = self.network.encode(x.to(self.device))  # type: ignore[operator]
        return mean.float(), sigma.float()

    @torch.no_grad()
    def decode(self, z: Tensor, max_memory_gb: float | None = None) -> Tensor:
        """Return volumes (B, 1, D, H, W); with `max_memory_gb`, in tiles blended over
        their overlaps.
        """
        _refuse_type(z, "latents")
        if z.ndim != 5 or z.shape[1] != self.channels:
            raise ValueError(
                f"latents have shape {tuple(z.shape)}, {self.name} takes (B, {self.channels}, D, "
                "H, W): were they encoded with another VAE?"
            )
        z = z.to(self.device)
        with self._autocast():
            return decode_in_tiles(self._decode, z, self.factor, self._bytes_each, max_memory_gb)

    @property
    def _bytes_each(self) -> float:
        return self.decode_bytes * (0.5 if self.precision == "bfloat16" else 1.0)

    def _decode(self, z: Tensor) -> Tensor:
        volume: Tensor = self.network.decode(z)  # type: ignore[operator]
        return volume.float()

    def _autocast(self) -> torch.autocast:
        return autocast(self.device, self.precision)


def _refuse_type(values: object, what: str) -> None:
    if not isinstance(values, Tensor) or not values.is_floating_point():
        kind = (
            f"a tensor of {values.dtype}"
            if isinstance(values, Tensor)
            else f"a {type(values).__name__}"
        )
        raise ValueError(
            f"{what} are {kind}: a tensor of floating-point numbers is needed, "
            "torch.from_numpy(x).float()"
        )


@dataclass(frozen=True)
class LatentSpace:
    """A latent space, identified by the encoder. Decoders of one latent space can be exchanged."""

    name: str
    sha256: str  # fingerprint of the weights; empty where it is not known
    channels: int
    factor: int
    # What the fingerprint covers: the encoder, or, up to version 0.1, the decoder too.
    of: Literal["encoder", "vae"] = "vae"

    def __post_init__(self) -> None:
        if self.channels < 1 or self.factor < 1:
            raise ValueError(f"channels {self.channels}, factor {self.factor}: 1 or more")


def check_space(vae: FrozenVAE, wanted: LatentSpace, who: str, advice: str) -> None:
    """Raise ValueError unless the latent space of `vae` is the one wanted; an unknown fingerprint
    (imported latents) matches any.
    """
    if (vae.channels, vae.factor) != (wanted.channels, wanted.factor):
        raise ValueError(
            f"VAE {vae.name} has {vae.channels} channels and factor {vae.factor}, {who} "
            f"{wanted.name} with {wanted.channels} and {wanted.factor}: {advice}"
        )
    own = (vae.space.sha256,) if wanted.of == "encoder" else vae.whole
    if wanted.sha256 and wanted.sha256 not in own:
        raise ValueError(
            f"VAE {vae.name} has the fingerprint {own[0][:16]}, {who} {wanted.name} "
            f"{wanted.sha256[:16]}: {advice}"
        )
