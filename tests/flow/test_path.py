import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neuromf.flow import path
from support import batch, relative


def test_ends_of_the_path_are_data_and_noise():
    x, noise, *_ = batch(2, 4, 3, 3, 3)
    assert torch.equal(path.point_on_path(x, noise, torch.zeros(2, dtype=x.dtype)), x)
    assert torch.equal(path.point_on_path(x, noise, torch.ones(2, dtype=x.dtype)), noise)


def test_velocity_is_the_derivative_of_the_path():
    x, noise, t, _ = batch(4, 2, 3)
    ahead, behind = (path.point_on_path(x, noise, t + d) for d in (0.01, -0.01))
    assert relative((ahead - behind) / 0.02, path.path_velocity(x, noise)) < 1e-12


@given(st.floats(0.02, 1), st.floats(0, 1))
def test_both_parametrisations_take_the_same_step(t, share):
    x, noise, *_ = batch(1, 3)
    t, r = torch.tensor([t]).double(), torch.tensor([t * share]).double()
    u = path.to_velocity(x, noise, t, "x")
    assert torch.allclose(path.to_data(u, noise, t, "u"), x, atol=1e-12)
    assert torch.allclose(
        path.step(noise, u, t, r, "u"), path.step(noise, x, t, r, "x"), atol=1e-12
    )


def test_a_step_to_zero_returns_the_data_estimate_to_the_bit():
    x, noise, t, _ = batch(4, 3)
    assert torch.equal(path.step(noise, x, t, torch.zeros_like(t), "x"), x)


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 5), (3, 4, 5, 6, 7)])
def test_times_broadcast_over_any_number_of_axes(shape):
    t = torch.rand(3)
    assert (path.per_sample(t, torch.zeros(shape)) * torch.ones(shape))[1].eq(t[1]).all()
