import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from neuromf.flow import TimeSampler


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def logit_normal(t):
    return stats.norm(-0.4, 1.0).cdf(torch.logit(torch.as_tensor(t)).numpy())


@pytest.mark.parametrize("stratified", [False, True])
def test_rows_with_r_equal_t_are_logit_normal(stratified, record_property):
    t, r = TimeSampler(equal_fraction=1, t_min=1e-6, stratified=stratified).draw(
        10_000, generator()
    )
    assert torch.equal(t, r)
    p = stats.kstest(t.double().numpy(), logit_normal).pvalue
    record_property("measured", f"p = {p:.2g}{' (stratified)' if stratified else ''}")
    assert p > 0.05


def test_intervals_are_two_sorted_logit_normal_draws():
    t, r = TimeSampler(equal_fraction=0, endpoint_fraction=0, t_min=1e-6).draw(10_000, generator())
    assert (r < t).all()
    assert (
        stats.kstest(t.double().numpy(), lambda q: logit_normal(q) ** 2).pvalue > 0.05
    )  # of the larger of two
    assert stats.kstest(r.double().numpy(), lambda q: 1 - (1 - logit_normal(q)) ** 2).pvalue > 0.05


def test_strata_cover_the_intervals_alone():
    def spread(stratified):
        g = generator()
        draws = [
            TimeSampler(endpoint_fraction=0, stratified=stratified).draw(64, g) for _ in range(200)
        ]
        return torch.stack([torch.logit(t[r < t]).mean() for t, r in draws]).std()

    assert spread(True) < 0.6 * spread(
        False
    )  # of the larger of two draws; independent ones vary with 1/sqrt(n)


def test_stratified_draws_put_one_row_in_every_stratum():
    t, _ = TimeSampler(equal_fraction=1, t_min=1e-6, stratified=True).draw(500, generator())
    strata = torch.floor(torch.from_numpy(logit_normal(t.double())) * 500)
    assert len(strata.unique()) >= 498  # float32 may round a draw over the edge


@given(
    n=st.integers(1, 3),
    parts=st.integers(1, 16),
    share=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]),
    seed=st.integers(0, 99),
)
def test_shares_are_exact_over_the_global_batch(n, parts, share, seed):
    draws = [
        TimeSampler(equal_fraction=share).draw(n, generator(seed), part=k, parts=parts)
        for k in range(parts)
    ]
    t, r = (torch.cat(times) for times in zip(*draws, strict=True))
    equal, exact = int((t == r).sum()), share * n * parts
    assert math.floor(exact) <= equal <= math.ceil(exact)
    assert ((r >= 0) & (r <= t) & (t <= 1) & (t >= 0.02 - 1e-7)).all()
    per_part = [int((a == b).sum()) for a, b in draws]
    assert max(per_part) - min(per_part) <= 1  # the dearer rows are spread evenly


def test_parts_are_the_rows_of_one_global_batch():
    sampler = TimeSampler()
    parts = [sampler.draw(2, generator(5), part=k, parts=4)[0] for k in range(4)]
    assert (
        len(torch.cat(parts).unique()) >= 7
    )  # all different, but for the endpoint rows with t = 1


def test_a_share_that_gives_no_whole_number_is_right_on_average():
    sampler, g = TimeSampler(equal_fraction=0.3), generator()
    equal = sum(int((t == r).sum()) for t, r in (sampler.draw(1, g) for _ in range(2000)))
    assert stats.binomtest(equal, 2000, 0.3).pvalue > 0.01


def test_endpoint_share_is_exact():
    t, r = TimeSampler(equal_fraction=0.5, endpoint_fraction=0.1).draw(400, generator())
    assert int((r == 0).sum()) == 20
    assert int(((r == 0) & (t == 1)).sum()) == 10


def test_no_interval_is_longer_than_the_maximum():
    t, r = TimeSampler(equal_fraction=0, max_interval=0.25).draw(1000, generator())
    assert (t - r).max() <= 0.25 + 1e-6
    t, r = TimeSampler(equal_fraction=0, max_interval=0).draw(1000, generator())
    assert torch.equal(t, r)


def test_same_generator_same_draw():
    a, b = (TimeSampler().draw(16, generator(7)) for _ in range(2))
    assert torch.equal(a[0], b[0])
    assert torch.equal(a[1], b[1])
    assert a[0].dtype == torch.float32


@pytest.mark.parametrize(
    ("options", "named"),
    [({"equal_fraction": 1.5}, "equal_fraction"), ({"t_min": 0}, "t_min"), ({"std": 0}, "std"), ({"endpoint_fraction": float("nan")}, "endpoint_fraction"), ({"mean": float("nan")}, "mean is nan")],
)  # fmt: skip
def test_bad_settings_are_named(options, named):
    with pytest.raises(ValueError, match=named):
        TimeSampler(**options)


def test_parts_need_one_generator():
    with pytest.raises(ValueError, match="generator is None with parts = 2"):
        TimeSampler().draw(4, parts=2)


@pytest.mark.parametrize(
    "arguments", [{"n": 0}, {"n": 1, "part": 2, "parts": 2}, {"n": 1, "part": -1}]
)
def test_bad_draws_are_refused(arguments):
    with pytest.raises(ValueError, match="need n >= 1"):
        TimeSampler().draw(**arguments)
