"""What a network is to the mathematics: a callable, with or without a second output."""

from typing import Protocol

import torch
from torch import Tensor

Output = Tensor | tuple[Tensor, Tensor]
Condition = dict[str, Tensor]  # by name, each (B, ...): age, sex, contrast


class Network(Protocol):
    """`network(z, t, r)` or `network(z, t, r, condition)` returns its prediction, or
    (prediction, v-head prediction) in the same parametrisation.

    z is (B, C, *spatial), t and r (B,), each tensor of the condition (B, ...); outputs have the
    shape of z. Samples must not influence each other (no batch norm). A network without
    conditions is called with three arguments. The class of a network with a v head may offer
    `without_head`, of the same arguments, which returns the prediction alone.
    """

    def __call__(self, z: Tensor, t: Tensor, r: Tensor, /, *condition: Condition) -> Output: ...


def call(
    network: Network, z: Tensor, t: Tensor, r: Tensor, condition: Condition | None = None
) -> Output:
    """Return the network's output; a condition is passed on where there is one."""
    return network(z, t, r) if condition is None else network(z, t, r, condition)


def split_output(output: Output) -> tuple[Tensor, Tensor | None]:
    """Return (prediction, head prediction or None). Raises TypeError where the
    network returned something else.
    """
    pair = output if isinstance(output, tuple | list) else (output, None)
    if len(pair) != 2 or not isinstance(pair[0], Tensor) or not isinstance(pair[1], Tensor | None):
        raise TypeError(
            f"the network returned a {type(output).__name__}; a tensor or "
            "(prediction, head prediction) is needed"
        )
    return pair[0], pair[1]


def predict_main(
    network: Network, z: Tensor, t: Tensor, r: Tensor, condition: Condition | None = None
) -> Tensor:
    """Return the main prediction; the head is not computed where the network can leave it out."""
    if hasattr(type(network), "without_head"):
        return split_output(call(network.without_head, z, t, r, condition))[0]  # type: ignore[attr-defined]
    return split_output(call(network, z, t, r, condition))[0]


def predict_head(
    network: Network, z: Tensor, t: Tensor, r: Tensor, condition: Condition | None = None
) -> Tensor:
    """Return the v head's prediction. Raises ValueError where the network has no head."""
    return required_head(split_output(call(network, z, t, r, condition))[1])


def required_head(head: Tensor | None) -> Tensor:
    """Return the head's prediction, or raise ValueError where there is none."""
    if head is None:
        raise ValueError(
            "tangent='head' needs a network that returns (prediction, head); this one returns "
            "one tensor: give it a v head "
            "(UNetConfig(v_head_blocks=1)) or choose tangent='boundary'"
        )
    return head


def select(samples: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
    """Return the given samples of each tensor (B, ...)."""
    return tuple(tensor.index_select(0, samples) for tensor in tensors)


def select_condition(samples: Tensor, condition: Condition | None) -> Condition | None:
    """Return the condition of the given samples."""
    if condition is None:
        return None
    return {name: values.index_select(0, samples) for name, values in condition.items()}


def repeat_condition(condition: Condition | None, times: int) -> Condition | None:
    """Return the condition of a batch that is repeated whole, `times` times."""
    if condition is None:
        return None
    return {k: v.repeat(times, *[1] * (v.ndim - 1)) for k, v in condition.items()}


def split_condition(condition: Condition | None, n: int, size: int) -> list[Condition | None]:
    """Return the conditions of n samples in parts of `size`, as Tensor.split parts them."""
    parts = torch.arange(n).split(size)
    if condition is None:
        return [None] * len(parts)
    return [{k: v[part[0] : part[-1] + 1] for k, v in condition.items()} for part in parts]


def scatter(samples: Tensor, values: Tensor, onto: Tensor) -> Tensor:
    """Return a copy of `onto` with the given samples replaced; differentiable in both."""
    return torch.index_copy(onto, 0, samples, values.to(onto.dtype))
