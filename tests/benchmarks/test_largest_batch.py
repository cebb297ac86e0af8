"""The largest batch that fits into memory."""

import pytest
import torch

import largest_batch
from largest_batch import Trial, found, largest
from ways import FLOW_MATCHING


@pytest.mark.parametrize("most", [1, 2, 5, 40])
def test_bisection_finds_the_largest_whatever_the_guess(most):
    for true in range(most + 1):
        for guess in (0, 1, true, true + 3, most):
            looked = []

            def fits(n, looked=looked, true=true):
                looked.append(n)
                return n <= true

            assert largest(fits, guess, most) == true
            assert len(set(looked)) == len(looked)
            assert all(1 <= n <= most for n in looked)


def test_a_good_guess_takes_few_looks():
    looked = []
    assert largest(lambda n: looked.append(n) or n <= 57, 55, 512) == 57
    assert len(looked) <= 5


def test_memory_that_does_not_suffice_is_no_error(monkeypatch):
    trial = Trial("tiny", FLOW_MATCHING, "float32", 0.0)
    for error in (torch.OutOfMemoryError("no"), RuntimeError("CUBLAS_STATUS_ALLOC_FAILED")):
        monkeypatch.setattr(Trial, "step", lambda self, batch, error=error: raising(error))
        assert not trial.fits(1)
    monkeypatch.setattr(Trial, "step", lambda self, batch: raising(RuntimeError("another")))
    with pytest.raises(RuntimeError, match="another"):
        trial.fits(1)
    assert (
        found("tiny", FLOW_MATCHING, "float32", 0, 2, torch.device("cpu"))
        == "RuntimeError: another"
    )


def test_a_limit_is_a_share_of_the_card(monkeypatch):
    class Card:
        total_memory = 80e9

    shares = []
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: Card)
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda share, device: shares.append(share)
    )
    gpu = torch.device("cuda")
    assert [largest_batch.set_limit(n, gpu) for n in (40, 0, 100)] == [40e9, 80e9, 80e9]
    assert shares == [0.5, 1.0, 1.0]


def raising(error):
    def step():
        raise error

    return step
