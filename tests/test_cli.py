import subprocess
import sys

import pytest
from typer.testing import CliRunner

from neuromf import __version__
from neuromf.cli import app, main
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


@pytest.fixture
def called(monkeypatch, capfd):
    """The command line, called in this process: (exit code, stdout, stderr)."""

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["neuromf", *words])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
        return code, *capfd.readouterr()

    return call


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
def test_a_refusal_is_one_line_and_exit_code_two(called, words, message):
    code, _, error = called("toy", "--dry-run", *words)
    assert code == 2
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_a_process_ends_with_the_exit_code():
    result = neuromf("toy", "--dry-run", "--resume", "--overwrite")
    assert result.returncode == 2
    assert result.stderr == "neuromf: --resume and --overwrite exclude each other\n"


def test_a_folder_in_use_is_refused_before_any_work(called, tmp_path):
    (tmp_path / "mine.txt").touch()
    code, _, error = called("toy", f"out={tmp_path}")
    assert code == 2
    assert "no run.json of ours" in error


def test_failed_items_are_exit_code_one(called, tmp_path):
    scans = tmp_path / "scans"
    scans.mkdir()
    save_nifti(scans / "sub-1_T1w.nii.gz", egg(placed()))
    (scans / "sub-2_T1w.nii.gz").write_text("no scan")
    code, said, _ = called("prepare", f"input={scans}", "workers=1", f"out={tmp_path / 'out'}")
    assert code == 1
    assert "1 volumes of 1 subjects" in said
    assert "1 rejected" in said


def test_weights(called, monkeypatch, tmp_path):
    monkeypatch.setenv("NEUROMF_HOME", str(tmp_path))
    shown = CliRunner().invoke(app, ["weights", "list"])
    assert "maisi-v1     not here" in shown.output
    assert "non-commercial" in shown.output
    code, _, error = called("weights", "get", "maisi-v1", "--from", str(tmp_path / "a.pt"))
    assert code == 2
    assert "no such file of weights" in error
