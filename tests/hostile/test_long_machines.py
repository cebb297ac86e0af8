"""What the machine decides must not be seen in the files: threads, order, pipes, two starts at once."""

import os
import random
import subprocess
import sys
import time

import pytest

from hostile.long_runs import LONG, STEPS, result
from hostile.starting import Started, called

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(1800)]


def program(words, cwd, **settings):
    """A run of the command line that begins with the interpreter, where the environment has to be another."""
    environment = {**os.environ, "NEUROMF_HOME": str(cwd / "home"), **settings}
    command = [sys.executable, "-m", "neuromf.cli", *words]
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_threads_change_no_prepared_volume(made, tmp_path):
    for threads in ("1", "2"):
        run = program(
            ["prepare", "input=scans", *STEPS, "workers=1", f"out={tmp_path}/{threads}/out"],
            made,
            OMP_NUM_THREADS=threads,
        )
        with run:
            assert run.communicate(timeout=240)[1].count("Traceback") == 0
        assert run.returncode == 0
    assert result(tmp_path / "1" / "out") == result(tmp_path / "2" / "out")


def test_workers_change_no_prepared_volume(made, tmp_path):
    for workers in (1, 2):
        code, said = called(
            [
                "prepare",
                "input=scans",
                *STEPS,
                f"workers={workers}",
                f"out={tmp_path}/{workers}/out",
            ],
            made,
        )
        assert code == 0, said
    one, two = result(tmp_path / "1" / "out"), result(tmp_path / "2" / "out")
    assert {k for k in {*one, *two} if one.get(k) != two.get(k)} == {"config.yaml"}


def test_samples_in_any_order_and_subset_have_the_same_bytes(made, tmp_path):
    """Samples that were lost are drawn again, whichever they are; fewer or more are the same ones."""
    chance, out = random.Random(0), tmp_path / "out"
    words = ["generate", "model=model", "device=cpu", f"out={out}"]
    assert called([*words, "n=7"], made)[0] == 0
    volumes = {path: path.read_bytes() for path in out.glob("sub-*/anat/*.nii.gz")}
    for _ in range(6):
        for path in chance.sample(sorted(volumes), chance.randint(1, 7)):
            path.unlink()
        assert called([*words, "n=7", "--resume"], made)[0] == 0
        assert {path: path.read_bytes() for path in out.glob("sub-*/anat/*.nii.gz")} == volumes
    for n in (1, 3):
        fewer = tmp_path / str(n)
        assert called([*words[:-1], f"out={fewer}", f"n={n}"], made)[0] == 0
        for path in fewer.glob("sub-*/anat/*.nii.gz"):
            assert path.read_bytes() == volumes[out / path.relative_to(fewer)]


@pytest.mark.parametrize("verb", ["generate", "encode", "export", "phantom"])
def test_a_reader_that_went_away_spoils_no_file(verb, made, tmp_path):
    """As in `neuromf generate ... | head -0`: what is written is whole, and goes on with --resume."""
    words = [verb, *LONG[verb]]
    with program([*words, f"out={tmp_path}/piped/out"], made) as run:
        run.stdout.close()
        error = run.stderr.read()
    assert run.returncode in {0, 1, 2, 120}, error
    assert "Traceback" not in error
    for folder in ("piped", "whole"):
        code, said = called([*words, f"out={tmp_path}/{folder}/out", "--resume"], made)
        assert code == 0, said
    assert result(tmp_path / "piped" / "out") == result(tmp_path / "whole" / "out")


@pytest.mark.parametrize("verb", ["generate", "encode", "phantom", "train-vae"])
def test_of_two_starts_in_one_instant_one_runs(verb, made, tmp_path):
    for attempt in range(3):
        out = tmp_path / str(attempt) / "out"
        both = [Started([verb, *LONG[verb], f"out={out}"], made) for _ in range(2)]
        (code, said), (other, also) = sorted((run.wait() for run in both), key=lambda end: end[0])
        assert (code, other) == (0, 2), said + also
        assert "is being written by" in also or "is not empty" in also
        time.sleep(0.01)
    assert result(tmp_path / "0" / "out") == result(tmp_path / "1" / "out")
