"""Gradient checkpointing that carries derivatives along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint as torch_checkpoint

from neuromf.flow.dual import Dual, value_of


def checkpoint(function: Callable[..., Any], *inputs: Tensor) -> Any:
    """Return function(*inputs), storing none of its activations for backward; the tangent
    is not computed a second time.

    Outside autograd (sampling, a jvp under no_grad) it is the plain call.
    """
    if not torch.is_grad_enabled():
        return function(*inputs)
    if not any(isinstance(x, Dual) for x in inputs):
        return torch_checkpoint(function, *inputs, use_reentrant=False)
    pending = [[x.tangent if isinstance(x, Dual) else None for x in inputs]]
    result: list[Tensor] = []

    def run(*values: Tensor) -> Any:
        if not pending:  # the recomputation in backward
            return function(*values)
        tangents = pending.pop()
        output = function(
            *(v if dv is None else Dual(v, dv) for v, dv in zip(values, tangents, strict=True))
        )
        result.append(output.tangent)
        return output.value

    value = torch_checkpoint(run, *(value_of(x) for x in inputs), use_reentrant=False)
    return Dual(value, result.pop())
