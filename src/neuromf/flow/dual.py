"""Two streams through one network call: values under autograd, and beside them their
derivative along one direction.

`Dual(x, dx)` goes through an unmodified network; every torch function it meets has one rule here,
written d(...) = ... with d(x) the tangent. The value is computed as always, so its gradient and
what autograd stores are those of a plain forward; the tangent is computed under no_grad and stored
nowhere. A function without a rule raises with its name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Rule = Callable[..., Any]
RULES: dict[Any, Rule] = {}


class Dual(Tensor):
    """A tensor that carries its tangent, of equal shape; both are plain tensors."""

    value: Tensor
    tangent: Tensor

    @staticmethod
    def __new__(cls: type[Dual], value: Tensor, tangent: Tensor) -> Dual:
        dual = Tensor._make_subclass(cls, value.detach())
        dual.value, dual.tangent = value, tangent
        return dual

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _ASKED_OF_THE_VALUE:
            return func(value_of(args[0]), *args[1:], **kwargs)
        if not torch.is_grad_enabled() and any(
            x.value.requires_grad for x in args if isinstance(x, Dual)
        ):
            raise _no_rule(
                func,
                "inside an autograd.Function or a reentrant "
                "checkpoint, where its gradient would be lost",
            )

        rule = RULES.get(func)
        if rule is None:
            raise _no_rule(func)
        try:
            result = rule(func, *args, **kwargs)
        except (AttributeError, TypeError, ValueError) as error:
            raise _no_rule(func, f"with these arguments ({error})") from error

        if isinstance(result, Dual) and result.value.dtype in _WHOLE:
            raise _no_rule(func, f"with a result of dtype {result.value.dtype}")
        return result


_WHOLE = (torch.bool, torch.int32, torch.int64)
_ATTRIBUTES = ("shape", "dtype", "device", "ndim", "layout", "is_cuda", "requires_grad", "grad_fn")
_ASKED_OF_THE_VALUE = {
    *(getattr(Tensor, name).__get__ for name in _ATTRIBUTES), Tensor.size, Tensor.dim,
    Tensor.numel, Tensor.__len__, Tensor.is_floating_point, torch.is_floating_point,
    Tensor.is_contiguous, Tensor.stride, Tensor.register_hook, Tensor.__repr__,
}  # fmt: skip


def _no_rule(func: Any, why: str = "") -> NotImplementedError:
    name = torch.overrides.resolve_name(func) or func
    return NotImplementedError(
        f"the two-stream pass has no rule for {name}{' ' * bool(why)}{why}: add one to "
        "neuromf/flow/dual.py, or choose jvp='exact', which takes any differentiable function"
    )


def value_of(x: Any) -> Any:
    """Return the value of a Dual, anything else as it is."""
    return x.value if isinstance(x, Dual) else x


def tangent_of(x: Any) -> Any:
    """Return the tangent of a Dual, and 0 for a constant."""
    return x.tangent if isinstance(x, Dual) else 0.0


def rule(*functions: Any) -> Callable[[Rule], Rule]:
    """Register a rule, called as `rule(func, *args, **kwargs)`, for torch functions."""

    def register(f: Rule) -> Rule:
        RULES.update(dict.fromkeys(functions, f))
        return f

    return register


@rule(
    Tensor.reshape, Tensor.transpose, Tensor.permute, Tensor.flatten, Tensor.contiguous,
    Tensor.unsqueeze, Tensor.__getitem__, Tensor.to, Tensor.float, Tensor.mean, Tensor.neg,
    F.avg_pool3d, F.interpolate, torch.fft.rfftn, torch.fft.irfftn,
)  # fmt: skip
def linear_map(func: Any, x: Dual, *args: Any, **kwargs: Any) -> Dual:
    """d(A x) = A dx."""
    return _dual(func(x.value, *args, **kwargs), lambda: func(x.tangent, *args, **kwargs))


@rule(torch.cat)
def joined(func: Any, xs: Any, *args: Any, **kwargs: Any) -> Dual:
    """d[x, y] = [dx, dy]."""
    tangents = lambda: [x.tangent if isinstance(x, Dual) else torch.zeros_like(x) for x in xs]  # noqa: E731
    return _dual(
        func([value_of(x) for x in xs], *args, **kwargs), lambda: func(tangents(), *args, **kwargs)
    )


@rule(Tensor.chunk)
def parted(func: Any, x: Dual, *args: Any, **kwargs: Any) -> tuple[Dual, ...]:
    """d of the parts = the parts of dx."""
    with torch.no_grad():
        tangents = func(x.tangent, *args, **kwargs)
    return tuple(
        Dual(v, dv) for v, dv in zip(func(x.value, *args, **kwargs), tangents, strict=True)
    )


@rule(Tensor.add, Tensor.sub, Tensor.__rsub__)  # x + y, 1 - x, ... arrive under these names
def added(func: Any, x: Any, y: Any) -> Dual:
    """d(x ± y) = dx ± dy, broadcast."""
    value = func(value_of(x), value_of(y))
    return _dual(value, lambda: torch.as_tensor(func(_like(x), _like(y))).expand_as(value))


@rule(Tensor.mul, Tensor.matmul)
def product(func: Any, x: Any, y: Any) -> Dual:
    """d(x y) = dx y + x dy."""
    return _dual(func(value_of(x), value_of(y)), lambda: _leibniz(func, x, y))


@rule(torch.einsum)
def contraction(func: Any, equation: str, *xs: Any) -> Dual:
    """d(x y) = dx y + x dy, summed over the repeated indices; of two factors."""
    x, y = xs[0] if len(xs) == 1 else xs
    bilinear = lambda a, b: func(equation, a, b)  # noqa: E731
    return _dual(bilinear(value_of(x), value_of(y)), lambda: _leibniz(bilinear, x, y))


@rule(Tensor.div)
def quotient(func: Any, x: Any, y: Any) -> Dual:
    """d(x / y) = (dx - (x / y) dy) / y."""
    value = func(value_of(x), value_of(y))
    return _dual(value, lambda: (tangent_of(x) - value.detach() * tangent_of(y)) / value_of(y))


@rule(F.linear, F.conv3d)
def weighted(
    func: Any, x: Dual, weight: Tensor, bias: Tensor | None = None, *args: Any, **kwargs: Any
) -> Dual:
    """d(W x + b) = W dx."""
    return _dual(
        func(x.value, weight, bias, *args, **kwargs),
        lambda: func(x.tangent, weight, None, *args, **kwargs),
    )


@rule(F.silu)
def silu(func: Any, x: Dual, inplace: bool = False) -> Dual:
    """d(x s) = s (1 + x (1 - s)) dx, with s = sigmoid(x)."""
    if inplace:
        raise ValueError("inplace=True would change the value of an earlier Dual")
    return _dual(func(x.value), lambda: torch.ops.aten.silu_backward(x.tangent, x.value))


@rule(torch.sqrt, Tensor.sqrt)
def root(func: Any, x: Dual) -> Dual:
    """d√x = dx / (2 √x)."""
    value = func(x.value)
    return _dual(value, lambda: x.tangent / (2 * value.detach()))


@rule(torch.sin, Tensor.sin)
def sine(func: Any, x: Dual) -> Dual:
    """d(sin x) = cos(x) dx."""
    return _dual(func(x.value), lambda: x.value.cos() * x.tangent)


@rule(torch.cos, Tensor.cos)
def cosine(func: Any, x: Dual) -> Dual:
    """d(cos x) = -sin(x) dx."""
    return _dual(func(x.value), lambda: -x.value.sin() * x.tangent)


@rule(torch.tanh, Tensor.tanh)
def tanh(func: Any, x: Dual) -> Dual:
    """d(tanh x) = (1 - tanh² x) dx."""
    value = func(x.value)
    return _dual(value, lambda: (1 - value.detach() ** 2) * x.tangent)


@rule(torch.softmax, Tensor.softmax)
def softmax(func: Any, x: Dual, dim: int, *args: Any, **kwargs: Any) -> Dual:
    """dy = y (dx - Σ y dx), for y = softmax(x)."""
    value = func(x.value, dim, *args, **kwargs)
    return _dual(value, lambda: _softmax_tangent(value.detach(), x.tangent, dim))


@rule(F.scaled_dot_product_attention)
def attention(
    func: Any, query: Dual, key: Dual, value: Dual, *, scale: float | None = None, **options: Any
) -> Dual:
    """y = A v, A = softmax(s q kᵀ): dy = dA v + A dv; the value by any fused
    kernel, the tangent written out.
    """
    if (
        options.get("attn_mask") is not None
        or options.get("dropout_p", 0.0)
        or options.get("is_causal")
    ):
        raise NotImplementedError(
            "the two-stream rule of "
            "scaled_dot_product_attention takes no mask, dropout or causality"
        )
    s = query.shape[-1] ** -0.5 if scale is None else scale

    def tangent() -> Tensor:
        q, k, v = query.value, key.value, value.value
        weights = torch.softmax(s * (q @ k.mT), -1)
        inner = s * (query.tangent @ k.mT + q @ key.tangent.mT)
        return _softmax_tangent(weights, inner, -1) @ v + weights @ value.tangent

    return _dual(func(query.value, key.value, value.value, scale=scale, **options), tangent)


@rule(F.group_norm)
def group_norm(
    func: Any,
    x: Dual,
    groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Dual:
    """y = w n + b, n = i (x - m), i = 1/σ: dy = w i (dx - mean(dx) - (x - m) i²
    mean((x - m) dx)), over each group.
    """
    batch, channels, *space = x.value.shape
    value, mean, inverse = torch.native_group_norm(
        x.value, weight, bias, batch, channels, math.prod(space), groups, eps
    )

    def tangent() -> Tensor:
        m, i = mean.unsqueeze(-1), inverse.unsqueeze(-1)
        centred, dx = x.value.reshape(batch, groups, -1) - m, x.tangent.reshape(batch, groups, -1)
        c = i.square() * torch.linalg.vecdot(centred, dx).unsqueeze(-1) / dx.shape[-1]
        dn = (
            torch.addcmul(dx, centred, -c)
            .sub_(dx.mean(-1, keepdim=True))
            .mul_(i)
            .reshape(x.value.shape)
        )
        return dn if weight is None else dn.mul_(weight.reshape(-1, *[1] * len(space)))

    return _dual(value, tangent)


@rule(F.dropout)
def dropout(
    func: Any, x: Dual, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Dual:
    """dy = dx while nothing is dropped; a random mask is refused."""
    if p and training:
        raise NotImplementedError("the two-stream pass takes no dropout: set its rate to 0")
    return x


def _dual(value: Tensor, tangent: Callable[[], Tensor]) -> Dual:
    with torch.no_grad():
        return Dual(value, tangent().to(value.dtype))  # autocast may choose differently for the two


def _like(x: Any) -> Any:
    """Return the tangent for a sum; of a constant it is a scalar 0, which changes no shape."""
    if isinstance(x, Dual):
        return x.tangent
    return torch.zeros((), dtype=x.dtype, device=x.device) if isinstance(x, Tensor) else 0.0


def _leibniz(bilinear: Callable[[Any, Any], Tensor], x: Any, y: Any) -> Tensor:
    terms = []
    if isinstance(x, Dual):
        terms.append(bilinear(x.tangent, value_of(y)))
    if isinstance(y, Dual):
        terms.append(bilinear(value_of(x), y.tangent))
    return terms[0] if len(terms) == 1 else terms[0].add_(terms[1])


def _softmax_tangent(y: Tensor, dx: Tensor, dim: int) -> Tensor:
    return y * (dx - (y * dx).sum(dim, keepdim=True))
