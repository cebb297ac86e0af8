import torch
import torch.nn.functional as F

from neuromf.flow.checkpointing import checkpoint
from neuromf.flow.dual import Dual

g = torch.Generator().manual_seed(0)
x, dx = torch.randn(2, 2, 8, 4, 4, 4, generator=g, dtype=torch.float64)
kernel = torch.randn(6, 8, 3, 3, 3, generator=g, dtype=torch.float64, requires_grad=True)
bias = torch.randn(6, generator=g, dtype=torch.float64, requires_grad=True)


def test_checkpoint_stores_less_computes_the_tangent_once_and_has_the_same_gradient():
    calls = []

    def layer(y):
        calls.append(type(y))
        return F.silu(F.conv3d(F.silu(y), kernel, bias, padding=1))

    results = []
    for run in (checkpoint, lambda f, y: f(y)):
        leaf = x.clone().requires_grad_()
        stored = []
        with torch.autograd.graph.saved_tensors_hooks(lambda s: stored.append(s) or s, lambda s: s):
            dual = run(layer, Dual(leaf, dx))
        (gradient,) = torch.autograd.grad(dual.value.square().sum(), leaf)
        results.append((dual.tangent, gradient, sum(s.numel() for s in stored)))
    assert calls == [Dual, torch.Tensor, Dual]
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    assert results[0][2] < 0.6 * results[1][2]


def test_checkpoint_of_plain_tensors_and_outside_autograd():
    assert torch.equal(checkpoint(torch.sin, x), torch.sin(x))
    with torch.no_grad():
        assert torch.equal(checkpoint(torch.sin, Dual(x, dx)).tangent, x.cos() * dx)
