"""What a network is to the mathematics: a callable, with or without a second output."""

from typing import Protocol

import torch
from torch import Tensor

Output = Tensor | tuple[Tensor, Tensor]


class Network(Protocol):
    """`network(z, t, r)` returns its prediction, or (prediction, v-head prediction)
    in the same parametrisation.

    z is (B, C, *spatial), t and r (B,); outputs have the shape of z. Rows must not influence each
    other (no batch norm). The class of a network with a v head may offer `without_head(z, t, r)`,
    which returns the prediction alone.
    """

    def __call__(self, z: Tensor, t: Tensor, r: Tensor, /) -> Output: ...


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


def predict_main(network: Network, z: Tensor, t: Tensor, r: Tensor) -> Tensor:
    """Return the main prediction; the head is not computed where the network can leave it out."""
    if hasattr(type(network), "without_head"):
        return split_output(network.without_head(z, t, r))[0]  # type: ignore[attr-defined]
    return split_output(network(z, t, r))[0]


def predict_head(network: Network, z: Tensor, t: Tensor, r: Tensor) -> Tensor:
    """Return the v head's prediction. Raises ValueError where the network has no head."""
    return required_head(split_output(network(z, t, r))[1])


def required_head(head: Tensor | None) -> Tensor:
    """Return the head's prediction, or raise ValueError where there is none."""
    if head is None:
        raise ValueError(
            "tangent='head' needs a network that returns (prediction, head); this one returns "
            "one tensor: give it a v head "
            "(UNetConfig(head_blocks=1)) or choose tangent='boundary'"
        )
    return head


def select(rows: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
    """Return each tensor's given rows."""
    return tuple(tensor.index_select(0, rows) for tensor in tensors)


def scatter(rows: Tensor, values: Tensor, onto: Tensor) -> Tensor:
    """Return a copy of `onto` with the given rows replaced; differentiable in both."""
    return torch.index_copy(onto, 0, rows, values.to(onto.dtype))
