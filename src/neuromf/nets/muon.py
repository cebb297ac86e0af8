"""Muon: momentum whose singular values are all made 1, for the matrices of a network; AdamW for
the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

# An odd polynomial whose iterations take singular values in (0, 1] close to 1 (K. Jordan, Muon,
# 2024); it is steep at 0, so five iterations suffice.
COEFFICIENTS, ITERATIONS = (3.4445, -4.7750, 2.0315), 5
RMS = 0.2  # of an update per unit of learning rate, as AdamW's (arXiv 2502.16982)
NARROW = 8  # a side of a matrix up to which it is left to AdamW: first and last layers


class Muon(torch.optim.AdamW):
    """AdamW in which matrices and convolution kernels take an orthogonalised step instead.

    A kernel (out, in, k...) is the matrix (out, in k...). The gradients of matrices are taken out
    before AdamW's own step, which leaves parameters without a gradient alone.
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        others: Iterable[nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.95),
        weight_decay: float = 0.0,
        momentum: float = 0.95,
    ) -> None:
        groups: list[dict[str, Any]] = [
            {"params": list(others), "momentum": None},
            {"params": list(matrices), "momentum": momentum},
        ]
        super().__init__([g for g in groups if g["params"]], lr, betas, weight_decay=weight_decay)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one step of all parameters that have a gradient."""
        for group in self.param_groups:
            if group["momentum"] is not None:
                for parameter in group["params"]:
                    self._orthogonal_step(parameter, group)
        return super().step(closure)

    def _orthogonal_step(self, parameter: nn.Parameter, group: dict[str, Any]) -> None:
        gradient, parameter.grad = parameter.grad, None
        if gradient is None:
            return
        state, beta = self.state[parameter], group["momentum"]
        average = state.setdefault("momentum", torch.zeros_like(parameter))
        state.setdefault("step", torch.tensor(0.0))  # which AdamW's reader looks for
        average.lerp_(gradient, 1 - beta)
        ahead = gradient.lerp(average, beta).flatten(1)  # Nesterov's momentum

        direction = orthogonalised(ahead).reshape(parameter.shape)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(direction, alpha=-group["lr"] * RMS * math.sqrt(max(ahead.shape)))


def orthogonalised(matrix: Tensor) -> Tensor:
    """Return U Vᵀ of matrix = U S Vᵀ, about: singular values lie within 0.68 and 1.14 unless they
    are tiny. Float32.
    """
    a, b, c = COEFFICIENTS
    x = matrix.float() / (matrix.float().norm() + 1e-7)
    wide = x if x.shape[0] <= x.shape[1] else x.mT
    for _ in range(ITERATIONS):
        gram = wide @ wide.mT
        wide = a * wide + (b * gram + c * gram @ gram) @ wide
    return wide if x.shape[0] <= x.shape[1] else wide.mT


def matrices(network: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the trained parameters that Muon takes, and the others: vectors, embeddings, and
    layers next to the data, which have few channels.
    """
    taken: list[nn.Parameter] = []
    left: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        matrix = parameter.ndim >= 2 and min(parameter.shape[:2]) > NARROW and "embed" not in name
        (taken if matrix else left).append(parameter)
    return taken, left
