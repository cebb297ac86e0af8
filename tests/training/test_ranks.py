"""Which process this is."""

from neuromf.training.ranks import in_job, rank


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


def test_a_login_node_is_no_job_and_no_reason_to_warn(monkeypatch, tmp_path):
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    (tmp_path / "srun").write_text("#!/bin/sh\n")
    (tmp_path / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not in_job()
    monkeypatch.setenv("SLURM_NTASKS", "1")
    monkeypatch.setenv("SLURM_JOB_NAME", "neuromf")
    assert in_job()
