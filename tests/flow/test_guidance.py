"""The guided target: its fixed point is classifier-free guidance, and w = 1 changes nothing."""

from dataclasses import replace

import pytest
import torch

from neuromf.flow import MeanFlow
from neuromf.flow.guidance import GUIDANCE, Guidance, guided, guided_target, led, scale_at
from support import batch


def network(z, t, r, condition):
    """Moves with its label, and with the guidance it is told."""
    push = condition["label"].nan_to_num(0.0) + condition[GUIDANCE][:, 0]
    return z * push.unsqueeze(1) + (t - r).unsqueeze(1)


def given(n, w=2.0, first=0.0, last=1.0):
    rows = torch.tensor([[w, first, last]], dtype=torch.float64).repeat(n, 1)
    return {"label": torch.arange(n, dtype=torch.float64), GUIDANCE: rows}


def null(n):
    return {"label": torch.full((n,), torch.nan, dtype=torch.float64)}


def test_the_fixed_point_is_classifier_free_guidance():
    """If the network holds w v(c) + (1 - w) v(nothing), so does the mean target."""
    v_c, v_u, w = torch.randn(3, 4), torch.randn(3, 4), torch.tensor([1.0, 1.5, 4.0])
    held = w[:, None] * v_c + (1 - w[:, None]) * v_u
    torch.testing.assert_close(guided(v_c, held, v_u, w), held)


@pytest.mark.parametrize("tangent", ["boundary", "conditional"])
def test_without_guidance_target_and_tangent_are_the_usual_ones(tangent):
    x, noise, t, r = batch(6, 3)
    objective, condition = MeanFlow(predict="u", tangent=tangent), given(6, w=1.0)
    usual = objective.terms(network, x, noise, t, r, condition)
    target, along = guided_target(objective, network, x, noise, t, r, condition, null(6))
    found = objective.terms(network, x, noise, t, r, condition, target, along)
    for name in ("target", "tangent", "compound"):
        torch.testing.assert_close(getattr(found, name), getattr(usual, name))


def test_guidance_acts_inside_its_interval_and_where_r_is_t():
    guidance = torch.tensor([[3.0, 0.2, 0.6]]).repeat(4, 1)
    t, r = torch.tensor([0.1, 0.4, 0.9, 0.9]), torch.tensor([0.0, 0.1, 0.1, 0.9])
    assert scale_at(guidance, t, r).tolist() == [1, 3, 1, 3]


def test_the_target_moves_by_what_the_condition_changes():
    x, noise, t, r = batch(5, 3)
    objective, condition = MeanFlow(predict="u"), given(5, w=2.0)
    target, along = guided_target(objective, network, x, noise, t, r, condition, null(5))
    z = (1 - t[:, None]) * x + t[:, None] * noise
    v_c, v_u = z * (condition["label"] + 2).unsqueeze(1), z * 1.0
    torch.testing.assert_close(target, noise - x + 0.5 * (v_c - v_u))
    torch.testing.assert_close(along, v_c)
    told = replace(objective, tangent="conditional")
    target, along = guided_target(told, network, x, noise, t, r, condition, null(5))
    assert along is target


@pytest.mark.parametrize("wrong", [{}, {GUIDANCE: torch.ones(5)}, {GUIDANCE: torch.ones(5, 2)}])
def test_a_condition_without_guidance_is_refused(wrong):
    x, noise, t, r = batch(5, 3)
    with pytest.raises(ValueError, match=r"\(B, 3\) is needed"):
        guided_target(MeanFlow(), network, x, noise, t, r, wrong, null(5))


def test_scales_are_uniform_in_the_logarithm():
    drawn = Guidance(largest=4.0).draw(4000, torch.Generator().manual_seed(0))
    logs = drawn[:, 0].log() / torch.tensor(4.0).log()
    assert abs(logs.mean() - 0.5) < 0.02
    assert drawn[:, 0].max() < 4
    assert ((drawn[:, 1] < 0.5) & (drawn[:, 2] > 0.5)).all()


def test_a_flow_is_led_by_a_second_call_inside_the_interval():
    asked = []

    def flow(z, t, r, condition):
        asked.append(condition["label"])
        return z * condition["label"].nan_to_num(-1.0).unsqueeze(1)

    z, label = torch.randn(2, 3), torch.tensor([2.0, 5.0])
    leading = led(flow, {"label": torch.tensor([torch.nan])}, (3.0, 0.2, 0.8))
    inside, outside = torch.tensor([0.5, 0.5]), torch.tensor([0.9, 0.9])
    expected = -z + 3 * (z * label.unsqueeze(1) + z)  # v_0 + w (v - v_0) with v_0 = -z
    torch.testing.assert_close(leading(z, inside, inside, {"label": label}), expected)
    assert [len(a) for a in asked] == [2, 2]
    assert asked[1].isnan().all()

    asked.clear()
    plain = leading(z, outside, outside, {"label": label})
    torch.testing.assert_close(plain, z * label.unsqueeze(1))
    assert len(asked) == 1
