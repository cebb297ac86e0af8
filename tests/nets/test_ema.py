import pytest
import torch
from torch import nn

from neuromf.nets.ema import ema_decay, ema_model


def test_average_equals_its_closed_form():
    torch.manual_seed(0)
    net = nn.Linear(3, 2).double()
    history = [net.weight.detach().clone()]
    average = ema_model(net, decay=0.9)
    for _ in range(40):
        with torch.no_grad():
            net.weight.add_(torch.randn(2, 3).double())
        average.update_parameters(net)
        history.append(net.weight.detach().clone())
    decays = [ema_decay(0.9, n) for n in range(1, 41)]
    expected = torch.zeros(2, 3).double()
    for k, w in enumerate(
        history
    ):  # w_k enters with 1 - d_k and is then shrunk by every later decay
        own = 1.0 if k == 0 else 1 - decays[k - 1]
        expected += own * torch.tensor(decays[k:], dtype=torch.float64).prod() * w
    torch.testing.assert_close(average.module.weight.detach(), expected, rtol=1e-12, atol=1e-12)


def test_decay_warms_up_to_its_value():
    assert [ema_decay(0.999, n) for n in (0, 1, 10_000)] == [0.1, 2 / 11, 0.999]


def test_the_first_update_averages_rather_than_copies():
    net = nn.Linear(1, 1)
    start = net.weight.item()
    average = ema_model(net, decay=0.999)
    with torch.no_grad():
        net.weight += 1
    average.update_parameters(net)
    assert average.module.weight.item() == pytest.approx(start + 1 - ema_decay(0.999, 1))


@pytest.mark.parametrize("decay", [1.0, -0.1, 2])
def test_bad_decay_is_named(decay):
    with pytest.raises(ValueError, match="decay is"):
        ema_model(nn.Linear(1, 1), decay)
