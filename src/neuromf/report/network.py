"""A network part by part: parameters, size of the features, and what backward keeps of them.

It is built of tensors without content (torch's fake tensors), which have shapes, types and sizes
and take no memory: a network of any size takes a second or two.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from neuromf.nets.config import UNetConfig
from neuromf.runtime.device import autocast
from neuromf.training.config import TrainConfig
from neuromf.training.memory import storage_key


@dataclass(frozen=True)
class Part:
    """One part of the network: what takes the latents in, a level on the way down or up, what
    gives the prediction out.
    """

    name: str
    side: str  # down, middle, up; beside for what has no place in the U
    level: int  # 0 has the latents' own size
    channels: int
    attention: bool
    parameters: int
    size: tuple[int, ...] = ()  # of its features (D, H, W), empty where it is not known
    kept: int = 0  # bytes that backward keeps, for a batch; the tangent of a derivative not counted


@dataclass(frozen=True)
class Network:
    """A network part by part, in the order of the forward pass."""

    parts: tuple[Part, ...]
    missing: str = ""  # why sizes and kept memory are not known

    @property
    def parameters(self) -> int:
        """All parameters."""
        return sum(part.parameters for part in self.parts)

    @property
    def kept(self) -> int:
        """Bytes that backward keeps, for a batch."""
        return sum(part.kept for part in self.parts)


def network_of(config: TrainConfig, shape: Sequence[int] = ()) -> Network:
    """Return the network of a training, for latents of a shape (C, D, H, W); without a shape the
    parts have no size and no memory.

    Layers of conditions and adapters are not among the parts: their sizes follow from the data.
    """
    shape = tuple(shape)
    if not shape:
        why = "neither samples nor a model tell the size of the latents"
    elif shape[0] != config.network.latent_channels:
        wanted = config.network.latent_channels
        why = f"the samples have {shape[0]} channels, the network takes {wanted}"
    elif any(n % config.network.divisor for n in shape[1:]):
        why = (
            f"latents of {shape[1:]} do not fit a network of {len(config.network.channels)} levels"
        )
    else:
        return _network(config.network, shape, config.batch, config.precision)

    counted = _network(config.network, (), config.batch, config.precision)
    return replace(counted, missing=why)


@functools.cache  # runs of one study have one network
def _network(own: UNetConfig, shape: tuple[int, ...], batch: int, precision: str) -> Network:
    from neuromf.nets.unet import DualTimeUNet  # MONAI takes seconds to import

    with FakeTensorMode():
        network: Any = DualTimeUNet(own)
        modules = _modules(network)
        parts = [_part(name, module, own) for name, module in modules.items()]
        rest = _count(network) - sum(part.parameters for part in parts)
        parts.append(Part("times", "beside", 0, 4 * own.channels[0], False, rest))
        if not shape:
            return Network(tuple(parts))

        kept = _kept(network, modules, shape, batch, precision)

    sized = [
        replace(p, size=tuple(n // 2**p.level for n in shape[1:]), kept=kept.get(p.name, 0))
        for p in parts
    ]
    return Network(tuple(sized))


def _modules(network: Any) -> dict[str, nn.Module]:
    """Return the modules that make the U, by the name of their part."""
    body = network.body
    deepest = len(body.up_blocks) - 1
    found = {"in": body.conv_in}
    found |= {f"down {i}": block for i, block in enumerate(body.down_blocks)}
    found["middle"] = body.middle_block
    found |= {f"up {deepest - i}": block for i, block in enumerate(body.up_blocks)}
    found["out"] = body.out
    return found | ({"v head": network.head} if network.head is not None else {})


def _part(name: str, module: nn.Module, own: UNetConfig) -> Part:
    """Return a part without its size."""
    side, _, number = name.partition(" ")
    if side not in ("down", "up"):
        middle = name == "middle"
        level = len(own.channels) - 1 if middle else 0
        place = "middle" if middle else "down" if name == "in" else "up"
        return Part(name, place, level, own.channels[level], middle, _count(module))
    level = int(number)
    return Part(name, side, level, own.channels[level], own.attention[level], _count(module))


def _kept(
    network: nn.Module,
    modules: dict[str, nn.Module],
    shape: tuple[int, ...],
    batch: int,
    precision: Any,
) -> dict[str, int]:
    """Return the bytes that backward keeps by part, for a batch; of each storage once."""
    seen = {storage_key(p) for p in network.parameters()}
    alive: list[Tensor] = []  # a storage that is freed may have its number used again
    found: dict[str, int] = {}
    current = ["times"]

    def pack(x: Tensor) -> Tensor:
        storage = storage_key(x)
        if storage not in seen:
            seen.add(storage)
            alive.append(x)
            found[current[0]] = found.get(current[0], 0) + x.untyped_storage().nbytes()
        return x

    for name, layer in _layers(modules):
        layer.register_forward_pre_hook(lambda *_, name=name: current.__setitem__(0, name))

    z, t = torch.zeros(batch, *shape), torch.ones(batch)
    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x)
    with hooks, autocast(z.device, precision):
        network(z, t, t)
    return found


def _layers(modules: dict[str, nn.Module]) -> Iterator[tuple[str, nn.Module]]:
    """Yield every layer with the name of its part: the levels' modules themselves are never
    called.
    """
    for name, module in modules.items():
        for layer in module.modules():
            yield name, layer


def _count(module: nn.Module) -> int:
    return sum(math.prod(p.shape) for p in module.parameters())
