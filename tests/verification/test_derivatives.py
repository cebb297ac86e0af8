import torch

from neuromf.verification import derivatives as module
from neuromf.verification.derivatives import derivatives


def test_exact_derivatives_are_right_and_a_wrong_one_shows(monkeypatch):
    monkeypatch.setattr(module, "NETWORKS", 1)
    monkeypatch.setattr(module, "CASES", 2)
    right = derivatives().values
    assert 0 < right["derivative_float64"] < 1e-6
    assert right["derivative_float64"] < right["derivative_float32"] < 1e-2

    exact = module.exact_jvp
    monkeypatch.setattr(module, "exact_jvp", lambda *case: 1.1 * exact(*case))
    assert derivatives().values["derivative_float64"] > 0.09
    assert torch.is_grad_enabled()
