"""Latents of several components, an image and its mask for example, each with a VAE of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from neuromf.autoencoder.frozen import FrozenVAE, LatentSpace

IMAGE = "image"
LESION = "lesion"  # the mask of the lesions in the image


@dataclass(frozen=True)
class Component:
    """A component of a latent: as many channels as its VAE has, after those of the
    components before.
    """

    name: str
    vae: LatentSpace

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"a component is called {self.name!r}: letters, digits and _ alone")


def image_of(vae: LatentSpace) -> tuple[Component, ...]:
    """Return the components of latents that hold only an image."""
    return (Component(IMAGE, vae),)


def same_components(one: Sequence[Component], other: Sequence[Component]) -> bool:
    """Return True if latents of both are of the same VAEs; an unknown fingerprint fits any of the
    same channels and factor.
    """
    if len(one) != len(other):
        return False
    return all(
        (a == b)
        or (
            a.name == b.name
            and (a.vae.channels, a.vae.factor) == (b.vae.channels, b.vae.factor)
            and not (a.vae.sha256 and b.vae.sha256)
        )
        for a, b in zip(one, other, strict=True)
    )


def check_components(components: Sequence[Component], channels: int) -> None:
    """Raise ValueError unless names differ, factors agree and the channels add up."""
    names = [c.name for c in components]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"components are {', '.join(names) or 'none'}: one or more, each once")
    if len({c.vae.factor for c in components}) > 1:
        raise ValueError("components have VAEs of different factors: their latents do not align")
    if sum(c.vae.channels for c in components) != channels:
        parts = ", ".join(f"{c.name} {c.vae.channels}" for c in components)
        raise ValueError(f"a latent of {channels} channels has the components {parts}")


def split(latents: Tensor, components: Sequence[Component]) -> dict[str, Tensor]:
    """Return the latents (B, C_i, D, H, W) of each component of latents (B, C, D, H, W)."""
    check_components(components, latents.shape[1])
    parts = latents.split([c.vae.channels for c in components], dim=1)
    return {c.name: part for c, part in zip(components, parts, strict=True)}


def first(latents: Tensor, vae: FrozenVAE) -> Tensor:
    """Return the first component, the image, of latents (B, C, D, H, W), which `vae` decodes."""
    return latents[:, : vae.channels]


def decode(
    latents: Tensor,
    components: Sequence[Component],
    vaes: Mapping[str, FrozenVAE],
    max_memory_gb: float | None = None,
) -> dict[str, Tensor]:
    """Return the volumes (B, 1, D, H, W) of each component, by name, as its own
    VAE decodes them.
    """
    parts = split(latents, components)
    return {name: vaes[name].decode(part, max_memory_gb) for name, part in parts.items()}
