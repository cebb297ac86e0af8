import pytest
import torch

from neuromf.training.strip_batches import HeadBatch
from neuromf.training.strip_task import StripTask, dice


class Fixed(torch.nn.Module):
    def __init__(self, found):
        super().__init__()
        self.found = torch.nn.Parameter(found)

    def forward(self, x):
        return self.found


def batch_of(distance):
    return HeadBatch(torch.zeros_like(distance), distance)


def test_the_loss_of_a_known_error():
    """0.1 everywhere: squares of 0.01, four times as heavy in the half of the voxels near the
    surface.
    """
    distance = torch.tensor([0.2, -0.2, 0.8, -0.8]).reshape(1, 1, 1, 2, 2)
    loss, sums = StripTask(Fixed(distance + 0.1)).loss(batch_of(distance))
    assert float(loss.detach()) == pytest.approx(0.01 * (4 + 4 + 1 + 1) / 4, rel=1e-5)
    assert StripTask(Fixed(distance)).means(sums.tolist())["error"] == pytest.approx(
        float(loss.detach())
    )


def test_beyond_the_ends_any_value_will_do():
    distance = torch.tensor([1.0, -1.0]).reshape(1, 1, 1, 1, 2)
    far = Fixed(torch.tensor([3.0, -1.2]).reshape(1, 1, 1, 1, 2))
    assert float(StripTask(far).loss(batch_of(distance))[0].detach()) == 0
    wrong = Fixed(torch.tensor([-3.0, -1.2]).reshape(1, 1, 1, 1, 2))
    assert float(StripTask(wrong).loss(batch_of(distance))[0].detach()) == pytest.approx(2.5**2 / 2)


def test_dice_of_insides():
    a = torch.tensor([[-1.0, -1, 1, 1], [1, 1, 1, 1]]).reshape(2, 1, 1, 2, 2)
    b = torch.tensor([[-1.0, 1, 1, 1], [1, 1, 1, 1]]).reshape(2, 1, 1, 2, 2)
    assert float(dice(a, b)) == pytest.approx((2 / 3 + 1) / 2)
