"""Secants of a teacher's trajectories: what is regressed, and that nothing else is drawn."""

import pytest
import torch

from neuromf.flow import MeanFlow
from neuromf.flow.trajectory import secants, trajectory
from neuromf.training.batches import Batch
from neuromf.training.secants import SecantTask
from support import relative, tiny_unet


class Known:
    """A teacher whose velocity is that of a Gaussian at the origin: z / t along straight rays."""

    def trajectory(self, noise, steps, condition=None):
        return trajectory(lambda z, t, r: z / t.view(-1, 1, 1, 1, 1).clamp(min=1e-3), noise, steps)


def drawn():
    noise = torch.randn(2, 4, 8, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    ends = torch.tensor([[0, 3, 1], [4, 4, 2]])
    return Batch(0 * noise, noise, torch.ones(2), torch.zeros(2), ends=ends)


def test_the_loss_is_that_of_the_secants():
    task = SecantTask(tiny_unet(), MeanFlow(predict="u", weight_power=0), Known(), 4)
    batch = drawn()
    loss, sums = task.loss(batch)
    z, t, r, target = secants(Known().trajectory(batch.noise, 4), *batch.ends)
    expected = (task.network(z, t, r) - target).square().mean((2, 3, 4)).sum(1).mean()
    assert relative(loss, expected) < 1e-12
    row = task.means(sums.tolist())
    assert row["raw"] == pytest.approx(expected.item())
    assert row["raw"] == row["raw_interval"]  # every secant has r < t


def test_it_is_learned():
    """The straight rays to the origin: u = noise for every secant, which a network can say."""
    task = SecantTask(tiny_unet(torch.float32), MeanFlow(predict="u", weight_power=0), Known(), 4)
    optimiser = torch.optim.Adam(task.network.parameters(), 3e-3)
    losses = []
    for step in range(30):
        noise = torch.randn(4, 4, 8, 8, 8, generator=torch.Generator().manual_seed(step))
        batch = Batch(0 * noise, noise, torch.ones(4), torch.zeros(4), ends=drawn().ends)
        optimiser.zero_grad()
        loss = task.loss(batch)[0]
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_secants_are_learned_under_the_condition_of_their_trajectory():
    """Trajectory number i of a batch, and every secant on it, has condition i."""

    class Pushed:
        def trajectory(self, noise, steps, condition=None):
            push = condition["push"].view(-1, 1, 1, 1, 1)
            return trajectory(lambda z, t, r: push + 0 * z, noise, steps)

    def network(z, t, r, condition):
        return condition["push"].view(-1, 1, 1, 1, 1) + 0 * z

    noise, ends = torch.randn(3, 1, 2, 2, 2), torch.tensor([[0, 1], [4, 3]])
    batch = Batch(
        noise, noise, torch.ones(3), torch.zeros(3), {"push": torch.arange(3.0)}, None, ends
    )
    task = SecantTask(network, MeanFlow(predict="u"), Pushed(), 4)
    assert float(task.loss(batch)[0]) < 1e-9
