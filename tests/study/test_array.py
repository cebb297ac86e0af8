import os
import subprocess
import sys

import pytest

from neuromf.runtime.slurm import Slurm
from neuromf.study import array
from neuromf.study.arm import AGAIN
from neuromf.study.array import script, submit, told, write_arrays
from neuromf.study.stopping import JOBS


def test_a_thousand_arms_an_array(tmp_path):
    names = [f"arm-{i}" for i in range(2300)]
    scripts = write_arrays(tmp_path, names, Slurm(), 8, 1)
    assert [path.name for path in scripts] == [f"array-1-{i}.sh" for i in (1, 2, 3)]
    limits = [path.read_text().partition("--array=")[2].splitlines()[0] for path in scripts]
    assert limits == ["0-999%8", "0-999%8", "0-299%8"]
    listed = [(tmp_path / "slurm" / f"arms-1-{i}.txt").read_text().split() for i in (1, 2, 3)]
    assert [name for part in listed for name in part] == names


def test_lists_of_earlier_submissions_stay(tmp_path):
    (first,) = write_arrays(tmp_path, ["a", "b", "c", "d"], Slurm(), 0, 1)
    (second,) = write_arrays(tmp_path, ["c", "d", "e"], Slurm(), 0, 1)
    lists = [tmp_path / "slurm" / f"arms-{i}-1.txt" for i in (1, 2)]
    assert [path.read_text().split() for path in lists] == [[*"abcd"], [*"cde"]]
    for path, names in zip((first, second), lists, strict=True):
        assert str(names) in path.read_text()
    # of a version that numbered parts alone
    (tmp_path / "slurm" / "arms-7.txt").write_text("x\n")
    assert write_arrays(tmp_path, ["a"], Slurm(), 0, 1)[0].name == "array-3-1.sh"


def test_a_job_without_an_arm_runs_nothing(tmp_path):
    (path,) = write_arrays(tmp_path, ["only"], Slurm(), 0, 1)
    environment = os.environ | {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "5"}
    done = subprocess.run(
        ["bash", str(path)], env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "no line 6 in" in done.stderr


def test_a_script_is_shell_and_says_what_was_asked(tmp_path):
    slurm = Slurm(partition="gpu", hours=2, setup="module load cuda")
    text = script(tmp_path / "a b", tmp_path / "arms 1.txt", 3, slurm, 0, 2)
    assert "#SBATCH --partition=gpu" in text
    assert "#SBATCH --array=0-2\n" in text
    assert "module load cuda\n" in text
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)


@pytest.mark.parametrize(
    ("code", "queued"), [(0, []), (1, []), (AGAIN, ["requeue 7_1"]), (138, ["requeue 7_1"])]
)
def test_the_job_runs_its_arm_and_queues_again_where_asked(tmp_path, monkeypatch, code, queued):
    """A script runs here, with stand-ins for SLURM's own commands."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for name, line in {
        "srun": f'echo "$@" > {tmp_path}/ran; exit {code}',
        "scontrol": f'echo "$@" >> {tmp_path}/queued',
    }.items():
        (bin_ / name).write_text(f"#!/bin/bash\n{line}\n")
        (bin_ / name).chmod(0o755)
    (path,) = write_arrays(tmp_path, ["first", "second"], Slurm(), 0, 1)
    slurm = {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "1"}
    environment = os.environ | slurm | {"PATH": f"{bin_}:{os.environ['PATH']}"}
    assert subprocess.run(["bash", str(path)], env=environment, check=False).returncode == code
    assert (tmp_path / "ran").read_text().split() == [
        *Slurm().srun_options(), sys.executable, "-m", "neuromf.study.arm", str(tmp_path), "second",
        "1",
    ]  # fmt: skip
    found = tmp_path / "queued"
    assert (found.read_text().splitlines() if found.exists() else []) == queued


def test_arrays_follow_each_other(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(array, "_sbatch", lambda words: asked.append(words) or f"{40 + len(asked)}")
    (tmp_path / "slurm").mkdir()
    scripts = [tmp_path / "slurm" / f"array-{i}.sh" for i in (1, 2)]
    assert submit(tmp_path, scripts) == ["41", "42"]
    assert asked == [[str(scripts[0])], ["--dependency=afterany:41", str(scripts[1])]]
    assert (tmp_path / JOBS).read_text() == "41\n42\n"
    submit(tmp_path, scripts[:1])
    assert (tmp_path / JOBS).read_text() == "41\n42\n43\n"


def test_without_slurm_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    scripts = write_arrays(tmp_path, ["a"], Slurm(), 0, 1)
    with pytest.raises(ValueError, match="no sbatch on this machine; launch=print"):
        submit(tmp_path, scripts)
    assert f"# sbatch --parsable {scripts[0]}" in told(scripts)
