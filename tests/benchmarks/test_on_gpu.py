"""The script that measures and trains on a GPU: what is done is skipped, what fails is told."""

import json
import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "on_gpu.sh"
# In place of Python: notes what it is asked for, makes the folder out=, and fails, waits or says
# that it was stopped where the words hold a name.
STAND_IN = """#!/usr/bin/env bash
echo "$*" >> "$NOTES"
for word; do
  case $word in out=*) mkdir -p "${word#out=}"; out=${word#out=};; esac
done
state=finished
[[ "$*" == *"${FAILS:-no such word}"* ]] && { echo "it broke" >&2; exit 2; }
[[ "$*" == *"${SLOW:-no such word}"* ]] && { trap 'state=interrupted' TERM; sleep 30 & wait $!; }
[ -z "${out:-}" ] || echo '{ "state": "'$state'"}' > "$out/run.json"
exit 0
"""


@pytest.fixture
def run(tmp_path):
    python = tmp_path / "python"
    python.write_text(STAND_IN)
    python.chmod(0o755)
    notes = tmp_path / "notes"

    def run(*words, **environment):
        notes.write_text("")
        done = subprocess.run(
            [str(SCRIPT), str(tmp_path / "out"), *words],
            env=os.environ | {"PYTHON": str(python), "NOTES": str(notes)} | environment,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return done, notes.read_text().splitlines()

    return run


def test_every_piece_is_run_once(run, tmp_path):
    done, asked = run("small")
    assert done.returncode == 0, done.stderr
    assert "FAILED" not in done.stdout
    text = "\n".join(asked)
    for word in ("step.py tiny", "largest_batch.py", "phantom", "encode", "stage_sizes.py",
                 "train-stages", "generate model=", "evaluate", "export"):  # fmt: skip
        assert word in text
    assert (tmp_path / "out" / "keep" / "numbers.tar.gz").is_file()
    done, asked = run("small")
    assert [line for line in asked if "--help" not in line] == []
    assert done.stdout.count("done before") == len(list((tmp_path / "out" / "done").iterdir())) + 1


def test_the_full_size_measures_on_the_gpu(run, tmp_path):
    (tmp_path / "people").mkdir()
    _, asked = run(str(tmp_path / "people"))
    steps = [line for line in asked if "step.py" in line]
    assert all("--device cuda" in line and "brain192" in line for line in steps)
    assert any("--compiled" in line for line in steps)
    assert any("--limits 40 0" in line for line in asked)
    assert any("phantom" in line and "n=2000" in line for line in asked)


def test_a_piece_that_fails_stops_only_those_that_need_it(run):
    done, asked = run("small", FAILS="encode")
    assert done.returncode == 1
    assert "FAILED (2)" in done.stdout
    assert "it broke" in done.stdout
    assert "waits for encode" in done.stdout
    assert any("generate.py" in line for line in asked)
    done, asked = run("small")
    assert done.returncode == 0
    assert any("evaluate" in line for line in asked)


def test_a_training_that_was_stopped_goes_on_the_next_time(run, tmp_path):
    run("small", PIECES="volumes copies encode sizes")
    done, _ = run("small", PIECES="train", SLOW="train-stages", LIMIT="11")
    assert done.returncode == 0
    assert "the same command goes on" in done.stdout
    record = json.loads((tmp_path / "out" / "trained" / "run.json").read_text())
    assert record["state"] == "interrupted"  # the signal came through
    done, asked = run("small", PIECES="train")
    assert "--resume" in asked[-1]
    assert "train done in" in " ".join(done.stdout.split())


def test_volumes_in_an_archive_under_any_folder(run, tmp_path):
    people = tmp_path / "somewhere" / "people"
    people.mkdir(parents=True)
    (people / "manifest.csv").write_text("name\n")
    archive = tmp_path / "people.tar.gz"
    subprocess.run(["tar", "-czf", archive, "-C", tmp_path, "somewhere"], check=True)
    run("small", str(archive), PIECES="volumes")
    assert (tmp_path / "out" / "volumes" / "manifest.csv").is_file()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_smallest_sizes_end_to_end_on_the_cpu(tmp_path):
    done = subprocess.run(
        [str(SCRIPT), str(tmp_path / "out"), "small"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    scores = json.loads((tmp_path / "out" / "evaluation" / "scores.json").read_text())
    assert scores["sets"]
    assert sum(f.stat().st_size for f in (tmp_path / "out" / "keep").iterdir()) < 60e6
