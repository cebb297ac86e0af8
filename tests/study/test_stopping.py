import os
import subprocess
import sys

from neuromf.runtime.lock import lock
from neuromf.study.arms import planned
from neuromf.study.folder import State, arm_folder, write_state, write_table
from neuromf.study.stopping import stop_study
from study.support import quick_study

SLEEPER = (
    "import sys, pathlib, time; from neuromf.runtime.lock import lock\n"
    "with lock(pathlib.Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
)


def test_the_study_and_its_arms_are_asked_to_end(tmp_path):
    arms = planned(quick_study())
    write_table(tmp_path, arms, {"toy": "toy"})
    assert stop_study(tmp_path) == f"nothing of {tmp_path} is running"
    own = arm_folder(tmp_path, arms[0].name)
    held = [
        subprocess.Popen([sys.executable, "-c", SLEEPER, str(f)], stdout=subprocess.PIPE)
        for f in (tmp_path, own)
    ]
    assert [p.stdout.readline() for p in held] == [b"held\n"] * 2
    state = State().begun("toy")
    write_state(own, State(**(vars(state) | {"process": held[1].pid})))

    said = stop_study(tmp_path)
    for process in held:
        process.communicate()
    assert [p.returncode for p in held] == [-15, -15]
    assert f"the study's process {held[0].pid} is stopping" in said
    assert "1 arms are stopping; --resume goes on with them" in said


def test_an_arm_on_another_machine_is_named(tmp_path):
    arms = planned(quick_study([1]))
    write_table(tmp_path, arms, {"toy": "toy"})
    own = arm_folder(tmp_path, arms[0].name)
    state = State().begun("toy")
    write_state(own, State(**(vars(state) | {"host": "node7"})))
    with lock(own):
        assert stop_study(tmp_path) == (
            f"{arms[0].name} runs on node7: stop process {os.getpid()} there"
        )


def test_jobs_that_cannot_be_cancelled_are_said(tmp_path):
    write_table(tmp_path, planned(quick_study([1])), {"toy": "toy"})
    (tmp_path / "slurm").mkdir()
    (tmp_path / "slurm" / "jobs.txt").write_text("12\n13\n")
    assert stop_study(tmp_path).startswith("scancel 12 13 failed: ")
