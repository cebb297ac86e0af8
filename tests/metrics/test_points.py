"""Public figures refuse what is no set of points, in words: never an error of torch's."""

import numpy as np
import pytest
import torch

from neuromf.metrics.frechet import fit_gaussian, frechet_distance, frechet_of_covariances
from neuromf.metrics.intervals import counts, of_share
from neuromf.metrics.mmd import kid, median_distance, mmd
from neuromf.metrics.points import check_finite, check_points
from neuromf.metrics.precision_recall import manifold, nearest
from neuromf.metrics.regions import dice, kl_divergence, pearson, wasserstein
from neuromf.metrics.spectrum import high_frequency_energy, radial_power
from neuromf.metrics.wasserstein import sliced_wasserstein, wasserstein_squared

GOOD = torch.rand(8, 5, generator=torch.Generator().manual_seed(0))
FIGURES = {
    "fid": lambda a, b: frechet_distance(fit_gaussian([a]), fit_gaussian([b])),
    "kid": kid,
    "mmd": lambda a, b: mmd(a, b, 1.0),
    "precision": lambda a, b: manifold(a, b, 2),
    "nearest": nearest,
    "wasserstein": wasserstein_squared,
    "sliced": lambda a, b: sliced_wasserstein(a, b, 4, torch.Generator()),
}
WRONG = {
    "whole numbers": torch.ones(8, 5, dtype=torch.int64),
    "an array": np.ones((8, 5)),
    "other dimensions": torch.rand(8, 6),
    "none": torch.empty(0, 5),
}


@pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES)
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_no_set_of_points_is_refused(figure, wrong):
    figure(GOOD, GOOD + 0.1)
    for pair in ((GOOD, wrong), (wrong, GOOD)):
        with pytest.raises(ValueError, match=r"came|points|finite"):
            figure(*pair)


@pytest.mark.parametrize("name", [n for n in FIGURES if n != "sliced"])
def test_a_volume_is_no_set_of_points(name):
    with pytest.raises(ValueError, match=r"points \(N, D\)"):
        FIGURES[name](torch.rand(8, 5, 2), torch.rand(8, 5, 2))


@pytest.mark.parametrize("name", ["fid", "precision", "nearest"])
def test_nan_is_refused_where_it_would_not_show(name):
    broken = GOOD.clone()
    broken[0, 0] = torch.nan
    with pytest.raises(ValueError, match="1 are NaN or Inf"):
        FIGURES[name](broken, GOOD)


def test_one_point_is_too_few():
    for figure in ("fid", "kid", "mmd"):
        with pytest.raises(ValueError, match="two points"):
            FIGURES[figure](GOOD[:1], GOOD)
    with pytest.raises(ValueError, match="2 points or more"):
        median_distance(GOOD[:1])


def test_parameters_of_figures():
    for call, what in (
        (lambda: mmd(GOOD, GOOD, 0.0), "bandwidth"),
        (lambda: mmd(GOOD, GOOD, float("nan")), "bandwidth"),
        (lambda: manifold(GOOD, GOOD, 0), "k is 0"),
        (lambda: sliced_wasserstein(GOOD, GOOD, 0, torch.Generator()), "projections is 0"),
        (
            lambda: nearest(GOOD, GOOD, torch.zeros(3, 3, dtype=torch.bool)),
            r"leave_out has shape \(3, 3\)",
        ),
        (lambda: fit_gaussian([GOOD, torch.rand(2, 4)]), "4 dimensions came after one of 5"),
        (lambda: fit_gaussian(GOOD), r"points \(N, D\)"),
        (lambda: counts(0, 5, torch.Generator()), "bootstrap of 0"),
        (lambda: of_share(3, 0), "3 of 0"),
        (lambda: of_share(7, 5), "7 of 5"),
    ):
        with pytest.raises(ValueError, match=what):
            call()
    with pytest.raises(ValueError, match=r"means \(B, D\)"):
        frechet_of_covariances(
            torch.zeros(2, 3), torch.zeros(2, 3, 3), torch.zeros(4), torch.eye(4)
        )


def test_regions_and_spectra():
    values = np.arange(4.0)
    for call, what in (
        (lambda: pearson(values, values[:3]), "pairs of values"),
        (lambda: wasserstein(values[:0], values), "one at least"),
        (lambda: kl_divergence(values, np.array([np.nan])), "finite values"),
        (lambda: dice(np.ones((2, 2), bool), np.ones((2, 3), bool)), "one shape"),
        (lambda: dice(np.ones(3, np.uint8), np.ones(3, np.uint8)), "masks of bool"),
        (lambda: high_frequency_energy(torch.rand(3, 4)), r"one volume \(D, H, W\)"),
        (lambda: radial_power(torch.ones(3, 4, 5, dtype=torch.int16)), "floating-point"),
    ):
        with pytest.raises(ValueError, match=what):
            call()


def test_good_points_pass():
    check_points("a figure", GOOD, GOOD[:2].double(), fewest=2)
    check_finite("a figure", GOOD)
