"""Each two-stream rule against torch.func.jvp, for the value, the tangent and the gradient."""

import pytest
import torch
import torch.nn.functional as F

from neuromf.flow.dual import RULES, Dual, tangent_of, value_of
from support import relative, tiny_unet

g = torch.Generator().manual_seed(0)
x, dx = torch.randn(2, 2, 8, 4, 4, 4, generator=g, dtype=torch.float64)
kernel = torch.randn(6, 8, 3, 3, 3, generator=g, dtype=torch.float64, requires_grad=True)
matrix = torch.randn(5, 4, generator=g, dtype=torch.float64, requires_grad=True)
bias = torch.randn(6, generator=g, dtype=torch.float64, requires_grad=True)
scale = torch.randn(8, generator=g, dtype=torch.float64, requires_grad=True)

CASES = {
    "conv3d": lambda x: F.conv3d(x, kernel, bias, padding=1),
    "conv3d, stride, no bias": lambda x: F.conv3d(x, kernel, stride=2),
    "linear": lambda x: F.linear(x, matrix),
    "group_norm": lambda x: F.group_norm(x, 4, scale, scale),
    "group_norm, no weights": lambda x: F.group_norm(x, 2, eps=1e-3),
    "silu": F.silu,
    "sin": torch.sin,
    "cos": torch.cos,
    "tanh": torch.tanh,
    "softmax": lambda x: torch.softmax(x, 1),
    "softmax method": lambda x: x.softmax(dim=-1),
    "cat": lambda x: torch.cat([x, x * 2, torch.ones_like(value_of(x))], 1),
    "chunk": lambda x: x.chunk(2, 1)[1] * x.chunk(2, 1)[0],
    "add": lambda x: x + x.transpose(2, 3) + 1,
    "add, broadcast": lambda x: x + x.mean((2, 3, 4), keepdim=True),
    "constant plus": lambda x: torch.ones(3, 1, 8, 1, 1, 1).double() + x,
    "minus": lambda x: 1 - x - scale.reshape(8, 1, 1, 1),
    "mul": lambda x: 3 * x * x,
    "mul, constant": lambda x: scale.reshape(8, 1, 1, 1) * x,
    "div": lambda x: x / (2 + x.sin()),
    "div, constant": lambda x: (3 + x.cos()) / 2,
    "matmul": lambda x: x @ x.transpose(-1, -2),
    "einsum": lambda x: torch.einsum("bcxyz,bdxyz->bcd", x, x.sin()),
    "attention": lambda x: F.scaled_dot_product_attention(x, x.sin(), x.cos(), scale=0.3),
    "reshape": lambda x: x.reshape(2, 4, -1).permute(0, 2, 1).unsqueeze(1).contiguous(),
    "index": lambda x: x[:, 2:, None],
    "negative": lambda x: -x,
    "avg_pool3d": lambda x: F.avg_pool3d(x, 2, 2),
    "interpolate": lambda x: F.interpolate(x, scale_factor=2.0, mode="nearest"),
    "sqrt": lambda x: torch.sqrt(x * x + 1) + (x * x + 2).sqrt(),
    "waves": lambda x: torch.fft.irfftn(
        torch.fft.rfftn(x, dim=(-3, -2, -1)) * (2 + x[..., :3].sin()), s=(4, 4, 4), dim=(-3, -2, -1)
    ),
    "dropout, off": lambda x: F.dropout(x, 0.5, training=False),
    "methods": lambda x: (
        x.sin() * x.cos() + x.tanh() + torch.softmax(x, 2) + x.flatten(1).reshape(x.shape).float()
    ),
    "cast": lambda x: x.to(torch.float32).to(torch.float64),
}


@pytest.mark.parametrize("name", CASES)
def test_rule_equals_forward_mode_ad(name):
    def plain(y):
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            return CASES[name](y)

    value, tangent = torch.func.jvp(plain, (x,), (dx,))
    leaf = x.clone().requires_grad_()
    dual = CASES[name](Dual(leaf, dx))
    assert type(dual.value) is torch.Tensor
    assert dual.value.shape == dual.tangent.shape
    assert not dual.tangent.requires_grad
    tolerance = 1e-6 if name in ("cast", "methods") else 1e-12
    assert relative(dual.value, value) < tolerance
    assert relative(dual.tangent, tangent) < tolerance

    other = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(plain(other).square().sum(), other)
    (found,) = torch.autograd.grad(dual.value.square().sum(), leaf)
    assert relative(found, expected) < tolerance


def test_every_rule_is_tested_above(monkeypatch):
    seen = set()
    for function, rule in list(RULES.items()):
        monkeypatch.setitem(
            RULES, function, lambda func, *a, rule=rule, **k: seen.add(func) or rule(func, *a, **k)
        )
    for case in CASES.values():
        case(Dual(x, dx))
    assert set(RULES) - seen == set()


def test_a_function_without_a_rule_is_named():
    with pytest.raises(
        NotImplementedError, match=r"no rule for torch.nn.functional.gelu.*jvp='exact'"
    ):
        F.gelu(Dual(x, dx))


@pytest.mark.parametrize(
    "call",
    [
        lambda y: F.dropout(y, 0.5),
        lambda y: F.scaled_dot_product_attention(y, y, y, is_causal=True),
    ],
)
def test_random_masks_and_causal_attention_are_refused(call):
    with pytest.raises(NotImplementedError, match="no dropout|no mask, dropout"):
        call(Dual(x, dx))


def test_constants_have_no_tangent():
    assert tangent_of(x) == 0.0
    assert value_of(x) is x


@pytest.mark.parametrize("fused", [False, True])
def test_the_whole_network_equals_forward_mode_ad(fused):
    net = tiny_unet(fused_attention=fused)
    z, v = torch.randn(2, 2, 4, 8, 8, 8, dtype=torch.float64)
    t, r = torch.tensor([0.7, 0.9]).double(), torch.tensor([0.2, 0.0]).double()
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        value, tangent = torch.func.jvp(lambda z, t: net(z, t, r), (z, t), (v, torch.ones_like(t)))
    dual = net(Dual(z, v), Dual(t, torch.ones_like(t)), r)
    assert value.std() > 0.1
    assert relative(dual.value, value) < 1e-12
    assert relative(dual.tangent, tangent) < 1e-12
