import pytest
import torch

from neuromf.flow.network import predict_head, predict_main, scatter, select, split_output
from support import batch, mlp


def test_one_output_or_two():
    x, _, t, r = batch(2, 3)
    assert split_output(x) == (x, None)
    net = mlp(head=True)
    torch.testing.assert_close(predict_main(net, x, t, r), net(x, t, r)[0])
    torch.testing.assert_close(predict_head(net, x, t, r), net(x, t, r)[1])


def test_a_missing_head_is_named():
    x, _, t, r = batch(2, 3)
    with pytest.raises(ValueError, match=r"head_blocks=1"):
        predict_head(mlp(), x, t, r)


def test_scatter_undoes_select_and_passes_the_gradient():
    onto = torch.randn(5, 2, requires_grad=True)
    rows = torch.tensor([3, 0])
    (values,) = select(rows, onto)
    assert torch.equal(scatter(rows, values, onto), onto)
    scatter(rows, values.detach(), onto).sum().backward()
    assert onto.grad.sum(1).tolist() == [0, 2, 2, 0, 2]
