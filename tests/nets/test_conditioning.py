"""Conditions change what the network draws, sample by sample, and nothing before they are learned."""

import pytest
import torch

from neuromf.flow import MeanFlow
from neuromf.flow.guidance import GUIDANCE
from neuromf.flow.jvp import WAYS, finite_jvp
from neuromf.nets.conditioning import with_conditions
from neuromf.nets.unet import DualTimeUNet
from neuromf.nets.variables import Conditions, Variable
from neuromf.pretrained.statedict import load_strict
from support import TINY, randomised, relative, tiny_unet

AGE, SEX = Variable("age", (), 20.0, 80.0), Variable("sex", ("f", "m"))
CONDITIONS = Conditions((AGE, SEX), guidance=3.0)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return randomised(DualTimeUNet(TINY, CONDITIONS)).double().requires_grad_(False)


@pytest.fixture(scope="module")
def point():
    g = torch.Generator().manual_seed(1)
    z = torch.randn(3, 4, 4, 4, 4, generator=g, dtype=torch.float64)
    return z, torch.full((3,), 0.7, dtype=torch.float64), torch.full((3,), 0.2, dtype=torch.float64)


def given(**changes):
    rows = [{"age": "30", "sex": "f"}, {"age": "70"}, {"sex": "m"}]
    condition = CONDITIONS.condition(rows, (2.0, 0.0, 1.0))
    return condition | changes


def test_a_new_embedding_changes_nothing(point):
    plain = tiny_unet()
    torch.manual_seed(0)
    grown = DualTimeUNet(TINY, CONDITIONS).double()
    load_strict(grown, with_conditions(plain.state_dict(), grown), "plain")
    assert torch.equal(grown(*point, given()), plain(*point))


def test_guidance_and_further_conditions_begin_at_nothing(point):
    torch.manual_seed(0)
    earlier = randomised(DualTimeUNet(TINY, Conditions((AGE,)))).double()
    grown = DualTimeUNet(TINY, CONDITIONS).double()
    load_strict(grown, with_conditions(earlier.state_dict(), grown), "earlier")
    age = {"age": given()["age"]}
    torch.testing.assert_close(grown(*point, given()), earlier(*point, age), rtol=1e-12, atol=0)


def test_each_sample_follows_its_own_condition(net, point):
    whole = net(*point, given())
    for i in range(3):
        own = {k: v[i : i + 1] for k, v in given().items()}
        torch.testing.assert_close(whole[i : i + 1], net(*(p[i : i + 1] for p in point), own))


@pytest.mark.parametrize("name", ["age", "sex", GUIDANCE])
def test_every_condition_matters_and_so_does_its_absence(net, point, name):
    whole, without = given(), {k: v for k, v in given().items() if k != name}
    assert not torch.allclose(net(*point, whole), net(*point, without))
    nothing = CONDITIONS.null(3)
    torch.testing.assert_close(net(*point, without | {name: nothing[name]}), net(*point, without))


def test_ages_differ_beyond_the_training_range(net, point):
    ages = [net(*point, {"age": torch.full((3,), age)}) for age in (20.0, 80.0, 95.0)]
    assert not torch.allclose(ages[0], ages[1])
    assert not torch.allclose(ages[1], ages[2])


@pytest.mark.parametrize("way", ["exact", "two-stream"])
def test_the_derivative_holds_the_condition_fixed(net, point, way):
    z, t, r = point
    terms = MeanFlow(predict="u", jvp=way).terms(net, z, torch.zeros_like(z), t, r, given())
    expected = finite_jvp(net, terms.z, t, r, terms.tangent, given(), step=1e-4)
    assert way in WAYS
    assert relative(terms.dudt, expected) < 1e-6


def test_conditions_that_do_not_fit_are_refused(net, point):
    with pytest.raises(ValueError, match=r"'height' is not one of this network's: age, sex"):
        net(*point, {"height": torch.ones(3)})
    with pytest.raises(ValueError, match="one row a sample"):
        net(*point, {"age": torch.ones(2)})
    with pytest.raises(ValueError, match="takes no conditions: age"):
        tiny_unet()(*point, {"age": torch.ones(3)})
