"""The predictor finds a linear dependence, and invents none."""

import pytest
import torch

from neuromf.metrics.predictor import fit_predictor, principal, ridge


def data(n, noise=0.1, seed=0):
    """Latents of three factors in 4 x 2 x 2 x 2 numbers; y is the first factor."""
    g = torch.Generator().manual_seed(seed)
    factors = torch.randn(n, 3, generator=g, dtype=torch.float64) * torch.tensor([1.0, 3.0, 2.0])
    directions = torch.randn(3, 32, generator=torch.Generator().manual_seed(9)).double()
    x = 5 + factors @ directions + noise * torch.randn(n, 32, generator=g, dtype=torch.float64)
    return x.view(n, 4, 2, 2, 2), 40 + 10 * factors[:, :1]


def test_a_linear_dependence_is_found_on_new_latents():
    predictor = fit_predictor(*data(60))
    x, y = data(40, seed=1)
    assert torch.corrcoef(torch.cat([predictor(x), y], 1).T)[0, 1] > 0.99
    assert float((predictor(x) - y).abs().mean()) < 1.0


def test_without_a_dependence_nothing_is_predicted():
    x, y = data(80)
    shuffled = y[torch.randperm(80, generator=torch.Generator().manual_seed(1))]
    predictor = fit_predictor(x, shuffled)
    new = predictor(data(200, seed=2)[0])
    assert float(new.std()) < 0.5 * float(y.std())


def test_scores_have_unit_variance_and_are_uncorrelated():
    x, _ = data(50)
    flat = x.flatten(1) - x.flatten(1).mean(0)
    scores, rows = principal(flat, 3)
    torch.testing.assert_close(scores.T @ scores / 49, torch.eye(3).double())
    torch.testing.assert_close(flat @ rows.T, scores)


def test_the_leave_one_out_error_is_that_of_leaving_out_one():
    x, y = data(20, noise=2.0)
    scores, _ = principal(x.flatten(1) - x.flatten(1).mean(0), 4)
    centred = y - y.mean(0)
    errors = []
    for i in range(20):
        rest = torch.arange(20) != i
        offset = centred[rest].mean(0)
        middle = scores[rest].mean(0)
        weights, _ = ridge(scores[rest] - middle, centred[rest] - offset, 0.5)
        errors.append((centred[i] - offset - (scores[i] - middle) @ weights) ** 2)
    assert ridge(scores, centred, 0.5)[1] == pytest.approx(
        float(torch.stack(errors).mean()), rel=0.05
    )


def test_too_few_latents_are_refused():
    with pytest.raises(ValueError, match="8 or more"):
        fit_predictor(*data(7))
