from dataclasses import replace

import pytest
import torch

from neuromf.flow import MeanFlow, TimeSampler
from neuromf.nets.config import Precondition
from neuromf.torus import Arm
from neuromf.torus.manifold import length_of_data
from torus.support import TINY, TINY_BLOBS, TINY_NET

U = MeanFlow(predict="u")
FLOW = {
    "objective": MeanFlow(predict="u", jvp="none"),
    "times": TimeSampler(equal_fraction=1.0),
}
GAUSSIAN = Precondition(kind="gaussian")


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 0},
        {"batch": 0},
        {"samples": -1},
        {"lr": float("nan")},
        {"calls": (5,)},
        {"calls": (5, 1)},
        {"calls": (0, 1)},
    ],
    ids=str,
)
def test_an_arm_that_could_not_train_is_refused(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} is"):
        Arm(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": MeanFlow(jvp="none")}, "equal_fraction=1 objective.jvp=none"),
        ({"times": TimeSampler(equal_fraction=1.0)}, "equal_fraction=1 objective.jvp=none"),
        ({"precondition": Precondition(kind="skip")}, "set objective.predict=u"),
        ({"precondition": GAUSSIAN, "objective": U}, "gaussian is for volumes, space is r4"),
        ({"architecture": "unet"}, "unet is for volumes, space is r4"),
    ],
    ids=["no-jvp", "no-interval", "x", "gaussian", "unet"],
)
def test_values_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Arm(**options)


@pytest.mark.parametrize("architecture", ["mlp", "unet"])
@pytest.mark.parametrize("kind", ["none", "skip", "gaussian"])
def test_both_networks_take_every_precondition(architecture, kind):
    arm = replace(TINY_BLOBS, architecture=architecture, net=TINY_NET, objective=U,
                  precondition=Precondition(kind=kind))  # fmt: skip
    z, t = torch.randn(3, 1, 8, 8, 8), torch.tensor([0.5, 0.9, 1.0])
    assert arm.network()(z, t, 0.5 * t).shape == z.shape


def test_the_gaussian_is_that_of_the_space():
    arm = replace(TINY_BLOBS, objective=U, precondition=GAUSSIAN)
    base, data = arm.network().base, arm.manifold().draw(2000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(base.mean, data.mean(0), atol=0.2, rtol=0)
    drawn = base.sample(torch.randn(500, *data.shape[1:]))
    assert drawn.std().item() == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("arm", [TINY, TINY_BLOBS], ids=["r4", "blobs"])
def test_the_skip_knows_the_scale_of_the_space(arm):
    """With an output of 0 noise becomes 0, and data stay as they are."""
    arm = replace(arm, objective=U, precondition=Precondition(kind="skip"))
    network, manifold = arm.network(), arm.manifold()
    for parameter in network.parameters():
        parameter.data.zero_()

    data = manifold.draw(5, torch.Generator().manual_seed(0))
    one = torch.ones(5)
    drawn = arm.objective.sample(network, torch.randn(data.shape))
    assert drawn.abs().max() < 1e-5
    kept = data - 0.01 * arm.velocity(network)(data, 0.01 * one, 0 * one)
    assert (kept - data).norm() < 0.05 * len(data) * length_of_data(manifold)


def test_a_rectified_flow_is_sampled_by_its_velocity():
    assert TINY.solver == "average"
    flow = replace(TINY, **FLOW)
    assert flow.solver == "euler"
    assert replace(TINY_BLOBS, **FLOW, precondition=GAUSSIAN).solver == "exponential"

    asked = []

    def network(z, t, r):
        asked.append((t, r))
        return z

    z, t = torch.randn(3, 4), torch.full((3,), 0.8)
    flow.velocity(network)(z, t, 0.5 * t)
    TINY.velocity(network)(z, t, 0.5 * t)
    assert torch.equal(*asked[0])
    assert not torch.equal(*asked[1])
