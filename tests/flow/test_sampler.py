import pytest
import torch

from neuromf.flow import composition_residual, sample
from support import mlp


def noise(n: int = 64):
    return torch.randn(n, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def test_one_call_of_the_exact_field_gives_the_data_distribution_map(gaussian):
    eps = noise()
    expected = gaussian.mu + gaussian.s * eps
    torch.testing.assert_close(sample(gaussian.velocity, eps), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 8])
@pytest.mark.parametrize("predict", ["x", "u"])
def test_any_number_of_steps_of_the_exact_field_agree(gaussian, steps, predict):
    field = gaussian.velocity if predict == "u" else gaussian.data
    eps = noise()
    torch.testing.assert_close(
        sample(field, eps, steps, predict=predict),
        gaussian.mu + gaussian.s * eps,
        rtol=0,
        atol=1e-12,
    )


def test_euler_converges_at_first_order(gaussian):
    eps = noise()
    exact = gaussian.mu + gaussian.s * eps
    errors = [
        (sample(gaussian.velocity, eps, n, solver="euler") - exact).abs().max().item()
        for n in (100, 200, 400)
    ]
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.1)
    assert errors[1] / errors[2] == pytest.approx(2, abs=0.1)


def test_calls_are_counted_and_times_fall_from_one_to_zero():
    seen = []

    def field(z, t, r):
        seen.append((t[0].item(), r[0].item()))
        return torch.zeros_like(z)

    sample(field, noise(2), 4)
    assert seen == [(1, 0.75), (0.75, 0.5), (0.5, 0.25), (0.25, 0)]
    seen.clear()
    sample(field, noise(2), 2, times=torch.tensor([1.0, 0.9, 0.0]), solver="euler")
    assert [t for t, _ in seen] == [t for _, t in seen] == pytest.approx([1.0, 0.9])


def test_the_first_of_a_pair_is_taken():
    net = mlp(head=True)
    torch.testing.assert_close(sample(net, noise(4)), sample(lambda *a: net(*a)[0], noise(4)))
    assert not sample(net, noise(4)).requires_grad


def test_composition_residual_is_zero_for_an_exact_field_and_not_for_another(gaussian):
    z = noise()
    t, s, r = (torch.full((64,), v, dtype=torch.float64) for v in (0.9, 0.5, 0.1))
    assert composition_residual(gaussian.velocity, z, t, s, r).max() < 1e-12
    assert (
        composition_residual(lambda z, t, r: gaussian.velocity(z, t, t), z, t, s, r).mean() > 0.01
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"steps": 0}, "steps is 0"), ({"steps": 1.5}, "steps is 1.5"), ({"predict": "v"}, "'x' or 'u'"),
     ({"solver": "heun"}, "one of 'average', 'euler', 'exponential'"), ({"times": [1.0, 0.5]}, "fall from 1 to 0")],
)  # fmt: skip
def test_bad_arguments_are_named(gaussian, arguments, message):
    with pytest.raises(ValueError, match=message):
        sample(gaussian.velocity, noise(), **arguments)


def test_integer_noise_is_refused(gaussian):
    with pytest.raises(TypeError, match=r"noise has dtype torch.int64"):
        sample(gaussian.velocity, torch.ones(2, 3, dtype=torch.int64))
