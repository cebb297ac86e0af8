"""Three ways to the derivative of a network along (dz/dt, dt/dt, dr/dt) = (v, 1, 0),
all detached from the graph.

Each takes the whole batch and the `rows` with r < t, calls the network for the prediction of
all rows, with gradient, and differentiates the given rows only: `way(network, z, t, r, rows,
tangent) -> (prediction, head, rate)`, where tangent and rate are (len(rows), C, *spatial) and
rate = (∂_z net) v + ∂_t net.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from neuromf.flow.dual import Dual, value_of
from neuromf.flow.network import Network, predict_main, select, split_output
from neuromf.runtime.device import without_tf32

Differentiated = tuple[Tensor, Tensor | None, Tensor]
# of t; central differences are then right to 1e-4 in float32 (times in [0, 1], unscaled)
FINITE_STEP = 5e-3


def split(
    network: Network, z: Tensor, t: Tensor, r: Tensor, rows: Tensor, tangent: Tensor
) -> Differentiated:
    """Forward-mode AD under no_grad beside a plain forward: any differentiable
    network, memory of one forward.
    """
    prediction, head = split_output(network(z, t, r))
    z, t, r = select(rows, z, t, r)
    return prediction, head, exact_rate(network, z, t, r, tangent)


def two_stream(
    network: Network, z: Tensor, t: Tensor, r: Tensor, rows: Tensor, tangent: Tensor
) -> Differentiated:
    """Prediction and derivative of the given rows in one pass of `Dual` tensors,
    the other rows in a plain one.

    Cheaper than `split` by one forward of those rows. The network must use functions
    that `flow.streams` has rules for. Raises ValueError for a compiled network: the
    compiler does not follow tangents.
    """
    if hasattr(network, "_orig_mod"):
        raise ValueError(
            "jvp='two-stream' got a network compiled by torch.compile, which does not follow its "
            "tangents: pass the network itself, or choose jvp='exact' "
            "(compiled prediction, eager derivative)"
        )
    z_rows, t_rows, r_rows = select(rows, z, t, r)
    output = network(Dual(z_rows, tangent), Dual(t_rows, torch.ones_like(t_rows)), r_rows)
    value, head = map(value_of, split_output(output))
    dual = split_output(output)[0]
    rate = dual.tangent if isinstance(dual, Dual) else torch.zeros_like(z_rows)
    if len(rows) == len(z):
        return value, head, rate
    others = (
        torch.ones(len(z), dtype=torch.bool, device=z.device)
        .index_fill_(0, rows, False)
        .nonzero()
        .flatten()
    )
    plain, plain_head = split_output(network(*select(others, z, t, r)))
    back = torch.cat([rows, others]).argsort()
    heads = None if head is None or plain_head is None else torch.cat([head, plain_head])[back]
    return torch.cat([value, plain])[back], heads, rate


def finite(
    network: Network, z: Tensor, t: Tensor, r: Tensor, rows: Tensor, tangent: Tensor
) -> Differentiated:
    """Central difference in full float32: the fallback where forward-mode
    AD fails, and the test oracle.
    """
    prediction, head = split_output(network(z, t, r))
    z, t, r = select(rows, z, t, r)
    return prediction, head, finite_rate(network, z, t, r, tangent)


WAYS: dict[str, Callable[..., Differentiated]] = {
    "exact": split,
    "two-stream": two_stream,
    "finite": finite,
}


@torch.no_grad()
def exact_rate(network: Network, z: Tensor, t: Tensor, r: Tensor, tangent: Tensor) -> Tensor:
    """Return d/dt of the prediction along (tangent, 1, 0), shape of z, by forward-mode AD;
    costs two forwards.
    """

    def along(z: Tensor, t: Tensor) -> Tensor:
        return predict_main(network, z, t, r)

    # compiled code is left out: forward-mode AD would run it eagerly
    network = getattr(network, "_orig_mod", network)
    with sdpa_kernel(SDPBackend.MATH), TangentOnly():  # fused attention has no forward-mode rule
        return torch.func.jvp(along, (z, t), (tangent.to(z.dtype), torch.ones_like(t)))[1]


@torch.no_grad()
def finite_rate(
    network: Network, z: Tensor, t: Tensor, r: Tensor, tangent: Tensor, step: float = FINITE_STEP
) -> Tensor:
    """Return (net(z + δ v, t + δ, r) - net(z - δ v, t - δ, r)) / 2δ, shape of z;
    autocast and TF32 are off inside.
    """
    with torch.autocast(z.device.type, enabled=False), without_tf32():
        ahead = predict_main(network, z + step * tangent, t + step, r)
        behind = predict_main(network, z - step * tangent, t - step, r)
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
    """Say whether x may carry a tangent of torch.func.jvp."""
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
