import subprocess
import sys

import pytest
from typer.testing import CliRunner

from neuromf import __version__
from neuromf.cli import app
from neuromf.verbs import VERBS
from support import egg, placed, save_nifti


def neuromf(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "neuromf.cli", *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_help_imports_nothing_heavy():
    heavy = ("torch", "monai", "omegaconf", "numpy", "scipy", "matplotlib", "psutil", "safetensors")
    code = f"import sys; from neuromf import cli; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
    shown = CliRunner().invoke(app, ["--help"])
    assert shown.exit_code == 0
    assert all(verb in shown.output for verb in VERBS)


def test_version():
    assert CliRunner().invoke(app, ["--version"]).output.strip() == f"neuromf {__version__}"


def test_dry_run_prints_what_would_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["toy", "--dry-run", "seed=11", "arms.r4-x.objective.p=1.5"])
    assert shown.exit_code == 0
    assert "seed: 11" in shown.output
    assert "p: 1.5" in shown.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sede=1"], "did you mean 'seed'?"),
        (["arms.r4-x.objective.tangent=none"], "arms.r4-x.objective.tangent"),
        (["out="], "out= names no folder"),
        (["--resume", "--overwrite"], "exclude each other"),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_two(words, message):
    result = neuromf("toy", "--dry-run", *words)
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_folder_in_use_is_refused_before_any_work(tmp_path):
    (tmp_path / "mine.txt").touch()
    result = neuromf("toy", f"out={tmp_path}")
    assert result.returncode == 2
    assert "no run.json of ours" in result.stderr


def test_failed_items_are_exit_code_one(tmp_path):
    scans = tmp_path / "scans"
    scans.mkdir()
    save_nifti(scans / "sub-1_T1w.nii.gz", egg(placed()))
    (scans / "sub-2_T1w.nii.gz").write_text("no scan")
    result = neuromf("prepare", f"input={scans}", "workers=1", f"out={tmp_path / 'out'}")
    assert result.returncode == 1
    assert "1 volumes of 1 subjects" in result.stdout
    assert "1 rejected" in result.stdout


def test_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("NEUROMF_HOME", str(tmp_path))
    shown = CliRunner().invoke(app, ["weights", "list"])
    assert "maisi-v1     not here" in shown.output
    assert "non-commercial" in shown.output
    missing = neuromf("weights", "get", "maisi-v1", "--from", str(tmp_path / "a.pt"))
    assert missing.returncode == 2
    assert "no such file of weights" in missing.stderr
