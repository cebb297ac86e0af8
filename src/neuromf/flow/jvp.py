"""Three ways to the derivative of a network along (dz/dt, dt/dt, dr/dt) = (v, 1, 0), all detached
from the graph.

Each takes the whole batch and the indices of the `samples` with r < t, calls the network for the
prediction of all samples, with gradient, and differentiates the given ones only: `way(network, z,
t, r, samples, tangent, condition) -> (prediction, head, jvp)`, where tangent and jvp are
(len(samples), C, *spatial) and jvp = (∂_z net) v + ∂_t net. Conditions are constants.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from neuromf.flow.dual import Dual, value_of
from neuromf.flow.network import (
    Condition,
    Network,
    call,
    predict_main,
    select,
    select_condition,
    split_output,
)
from neuromf.runtime.device import without_tf32

Differentiated = tuple[Tensor, Tensor | None, Tensor]
# of t; central differences are then right to 1e-4 in float32 (times in [0, 1], unscaled)
FINITE_STEP = 5e-3


def two_stream(
    network: Network,
    z: Tensor,
    t: Tensor,
    r: Tensor,
    samples: Tensor,
    tangent: Tensor,
    condition: Condition | None = None,
) -> Differentiated:
    """Prediction and derivative of the given samples in one pass of `Dual` tensors, the other
    samples in a plain one.

    Cheaper than `exact` by one forward of those samples. The network must use functions that
    `flow.dual` has rules for. Raises ValueError for a compiled network: the compiler does not
    follow tangents.
    """
    if hasattr(network, "_orig_mod"):
        raise ValueError(
            "jvp='two-stream' got a network compiled by torch.compile, which does not follow its "
            "tangents: pass the network itself, or choose jvp='exact' "
            "(compiled prediction, eager derivative)"
        )
    z_own, t_own, r_own = select(samples, z, t, r)
    dual_z, dual_t = Dual(z_own, tangent), Dual(t_own, torch.ones_like(t_own))
    output = split_output(
        call(network, dual_z, dual_t, r_own, select_condition(samples, condition))
    )
    value, head = map(value_of, output)
    jvp = output[0].tangent if isinstance(output[0], Dual) else torch.zeros_like(z_own)
    if len(samples) == len(z):
        return value, head, jvp

    is_other = torch.ones(len(z), dtype=torch.bool, device=z.device)
    others = is_other.index_fill_(0, samples, False).nonzero().flatten()
    z, t, r = select(others, z, t, r)
    rest = call(network, z, t, r, select_condition(others, condition))
    plain, plain_head = split_output(rest)
    back = torch.cat([samples, others]).argsort()
    heads = None if head is None or plain_head is None else torch.cat([head, plain_head])[back]
    return torch.cat([value, plain])[back], heads, jvp


@torch.no_grad()
def exact_jvp(
    network: Network,
    z: Tensor,
    t: Tensor,
    r: Tensor,
    tangent: Tensor,
    condition: Condition | None = None,
) -> Tensor:
    """Return d/dt of the prediction along (tangent, 1, 0), shape of z, by forward-mode AD; costs
    two forwards.
    """

    def along(z: Tensor, t: Tensor) -> Tensor:
        return predict_main(network, z, t, r, condition)

    # Forward-mode AD would run compiled code eagerly, so it is left out.
    network = getattr(network, "_orig_mod", network)
    with sdpa_kernel(SDPBackend.MATH), TangentOnly():  # fused attention has no forward-mode rule
        return torch.func.jvp(along, (z, t), (tangent.to(z.dtype), torch.ones_like(t)))[1]


@torch.no_grad()
def finite_jvp(
    network: Network,
    z: Tensor,
    t: Tensor,
    r: Tensor,
    tangent: Tensor,
    condition: Condition | None = None,
    step: float = FINITE_STEP,
) -> Tensor:
    """Return (net(z + δ v, t + δ, r) - net(z - δ v, t - δ, r)) / 2δ, shape of z; autocast and
    TF32 are off inside.
    """
    with torch.autocast(z.device.type, enabled=False), without_tf32():
        ahead = predict_main(network, z + step * tangent, t + step, r, condition)
        behind = predict_main(network, z - step * tangent, t - step, r, condition)
    return (ahead - behind) / (2 * step)


class TangentOnly(TorchFunctionMode):
    """Inside it, convolution and linear layers with constant weights push tangents forward
    by one product.

    PyTorch's own rule adds products with the weights' tangents, which are zeros: three
    convolutions instead of two. Weights that depend on the input keep that rule. Gradients do not
    pass: for use under no_grad.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        plain = func not in (F.conv3d, F.linear) or torch.compiler.is_compiling()
        if plain or any(map(_varies, (*args[1:], *kwargs.values()))):
            return func(*args, **kwargs)
        return _affine(func, *args, **kwargs)


def _varies(x: Any) -> bool:
    """Return True if x may carry a tangent of torch.func.jvp."""
    return isinstance(x, Tensor) and torch._C._functorch.is_functorch_wrapped_tensor(x)


def _affine(
    func: Any, x: Tensor, weight: Tensor, bias: Tensor | None = None, *args: Any, **kwargs: Any
) -> Tensor:
    return _Affine.apply(
        x,
        lambda y: func(y, weight, bias, *args, **kwargs),
        lambda dy: func(dy, weight, None, *args, **kwargs),
    )


class _Affine(torch.autograd.Function):
    """y = W x + b with the forward-mode rule dy = W dx."""

    @staticmethod
    def forward(
        x: Tensor, affine: Callable[[Tensor], Tensor], linear: Callable[[Tensor], Tensor]
    ) -> Tensor:
        return affine(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.linear = inputs[2]

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        result: Tensor = ctx.linear(dx)
        return result


def apart(derivative: Callable[..., Tensor]) -> Callable[..., Differentiated]:
    """Return the way that takes a derivative under no_grad beside a plain forward: memory of one
    forward.
    """

    def way(
        network: Network,
        z: Tensor,
        t: Tensor,
        r: Tensor,
        samples: Tensor,
        tangent: Tensor,
        condition: Condition | None = None,
    ) -> Differentiated:
        prediction, head = split_output(call(network, z, t, r, condition))
        z, t, r = select(samples, z, t, r)
        own = select_condition(samples, condition)
        return prediction, head, derivative(network, z, t, r, tangent, own)

    return way


WAYS: dict[str, Callable[..., Differentiated]] = {
    "exact": apart(exact_jvp),  # any differentiable network
    "two-stream": two_stream,
    "finite": apart(finite_jvp),  # where forward-mode AD fails
}
