"""A trained network made ready to learn something more: further channels, with low-rank adapters
or with all of its weights.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from neuromf.flow.gaussian import GaussianFlow
from neuromf.nets.conditioning import EMBEDDING
from neuromf.nets.config import LoRA
from neuromf.nets.grow import grow, merge_grown
from neuromf.nets.lora import DOWN, UP, add_lora, merge_lora
from neuromf.nets.precondition import Preconditioned

SECOND = "base.flows.1."  # of the flow in closed form of further channels
LEARNED = (DOWN, UP, "grown", "grown_bias")  # last parts of the names of what an adapter learns


def adapt(
    network: nn.Module, lora: LoRA, channels: int, base: GaussianFlow | None, embedding: bool
) -> None:
    """Give a network `channels` further channels, whose flow in closed form is `base` where the
    network has one; without `base` it is that of N(0, 1), until a state dict gives it others.

    With adapters the network's own weights are frozen, but for those of conditions where
    `embedding` says that there are new ones. Its output on the old channels stays what it is.
    Raises ValueError where an adapter or the channels do not fit.
    """
    network.requires_grad_(True)
    if lora.adapts:
        add_lora(network, lora)
    if channels:
        grow(network, channels, base or _standard(network, channels))
    if not lora.adapts:
        merge_grown(network)  # every weight is trained: no need of parts of their own
    if embedding:
        for name, parameter in network.named_parameters():
            if f".{EMBEDDING}." in f".{name}":
                parameter.requires_grad_(True)


def merge(network: nn.Module) -> None:
    """Make an adapted network a plain one, with the same output up to rounding."""
    merge_lora(network)
    merge_grown(network)


def learned(network: nn.Module) -> dict[str, Tensor]:
    """Return the part of an adapted network's state that its base does not hold: adapters, new
    channels, the embedding of conditions.
    """
    return {name: value for name, value in network.state_dict().items() if is_learned(name)}


def is_learned(name: str) -> bool:
    """Return True for the name of a tensor that an adapter brings."""
    new = name.rsplit(".", 1)[-1] in LEARNED or f".{EMBEDDING}." in f".{name}"
    return new or name.startswith(SECOND)


def with_learned(state: Mapping[str, Tensor], more: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state of an adapted network from that of its base and what `learned` gave."""
    kept = {k: v for k, v in state.items() if not is_learned(k)}
    if any(name.startswith(SECOND) for name in more):
        kept = {within_blocks(k): v for k, v in kept.items()}
    return kept | dict(more)


def within_blocks(name: str) -> str:
    """Return what a tensor of a flow in closed form is called once there are two of them."""
    first, _, rest = name.partition("base.")
    return f"base.flows.0.{rest}" if not first and rest else name


def closed_form(network: nn.Module) -> bool:
    """Return True for a network about the flow of a Gaussian."""
    return isinstance(network, Preconditioned) and isinstance(network.base, GaussianFlow)


def _standard(network: nn.Module, channels: int) -> GaussianFlow | None:
    """Return N(0, 1) for further channels of a network about the flow of a Gaussian."""
    if isinstance(network, Preconditioned) and isinstance(network.base, GaussianFlow):
        return GaussianFlow.empty((channels, *network.base.mean.shape[1:]))
    return None
