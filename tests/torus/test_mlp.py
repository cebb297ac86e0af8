import pytest
import torch

from neuromf.torus.mlp import TimeMlp


@pytest.mark.parametrize("shape", [(4,), (1, 3, 3, 3)], ids=str)
def test_the_prediction_has_the_shape_of_its_input_and_depends_on_both_times(shape):
    network = TimeMlp(torch.Size(shape).numel(), 16)
    z, t = torch.randn(5, *shape), torch.full((5,), 0.5)
    found = network(z, t, 0.2 * t)
    assert found.shape == z.shape
    assert not torch.equal(found, network(z, t, t))
    assert not torch.equal(found, network(z, 0.9 * t, 0.1 * t))  # the same ratio


def test_samples_do_not_influence_each_other():
    network = TimeMlp(4, 16)
    z, t = torch.randn(3, 4), torch.rand(3)
    torch.testing.assert_close(network(z, t, t)[:1], network(z[:1], t[:1], t[:1]))
