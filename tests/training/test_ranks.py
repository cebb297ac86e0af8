"""Which process this is."""

from neuromf.training.ranks import rank


def test_rank(monkeypatch):
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    assert rank() == 0
    monkeypatch.setenv("NODE_RANK", "1")
    assert rank() == 1
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert rank() == 1
    monkeypatch.setenv("RANK", "0")
    assert rank() == 0
