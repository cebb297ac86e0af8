from neuromf.verification import memory as module
from neuromf.verification.memory import memory


def test_batches_that_fit_fall_with_the_size_and_grow_with_the_card(monkeypatch):
    monkeypatch.setattr(module, "SIZES", (16, 32))
    (small, large) = (row[2:] for row in memory().rows)
    fits = [[int(n) for n in row] for row in (small, large)]
    assert all(a > 7 * b for a, b in zip(*fits, strict=True))  # eight times the voxels
    assert fits[0] == sorted(fits[0])
