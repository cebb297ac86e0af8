import pytest
import torch

from neuromf.flow.reductions import batch_mean, per_channel, spatial_mean, without_nonfinite


def test_bad_rows_become_zero_and_the_others_stay():
    x, noise = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    x[1, 2] = float("nan")
    clean_x, clean_noise, finite = without_nonfinite(x, noise)
    assert finite.tolist() == [True, False, True]
    assert torch.equal(clean_x[1], torch.zeros(4))
    assert torch.equal(clean_noise[1], torch.zeros(4))
    assert torch.equal(clean_x[::2], x[::2])


def test_the_mean_over_space_is_weighted_by_the_mask():
    values = torch.arange(8.0).reshape(1, 1, 2, 2, 2)
    mask = torch.zeros(1, 1, 2, 2, 2)
    mask[..., 0, 0, 0], mask[..., 1, 1, 1] = 1.0, 3.0
    assert spatial_mean(values, None).item() == 3.5
    assert spatial_mean(values, mask).item() == (0 * 1 + 7 * 3) / 4


def test_the_mean_over_no_row_stays_in_the_graph():
    rows = torch.ones(3, requires_grad=True)
    mean = batch_mean(rows, torch.zeros(3, dtype=torch.bool))
    mean.backward()
    assert mean.item() == 0.0
    assert torch.equal(rows.grad, torch.zeros(3))
    kept = batch_mean(torch.tensor([1.0, 5.0, 9.0]), torch.tensor([True, False, True]))
    assert kept.item() == 5.0


def test_one_value_per_channel():
    like = torch.zeros(2, 3, 4)
    assert per_channel("w", None, 2.0, like).tolist() == [2.0, 2.0, 2.0]
    with pytest.raises(ValueError, match="w has 2 values but the data have 3 channels"):
        per_channel("w", (1.0, 2.0), 2.0, like)
