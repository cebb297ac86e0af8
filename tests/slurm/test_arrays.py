"""A study of six arms as an array, two at a time, with everything that can happen to an arm."""

import contextlib
import threading
import time
from dataclasses import replace

import pytest

from neuromf.runtime.cluster import Launch
from neuromf.study import sweep
from neuromf.study.config import SweepConfig
from neuromf.study.folder import arm_folder, read_state, read_table
from neuromf.study.stopping import JOBS
from slurm.jobs import SMALL, Training, end_soon, held, scontrol
from slurm.support import STEADY, called, wait
from training.support import latent_store

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(5000)]
UPDATES = 12
WORDS = (
    "device=cpu", f"updates={UPDATES}", "batch=2", "ema=[0.9]", "precision=float32", "log_every=1",
    "network.channels=[16,32]", "network.attention=[false,true]", "network.res_blocks=1",
    "network.attention_head_channels=[0,16]", "network.norm_groups=4", "samples.every=0",
    "diagnostics.every=0", "evaluation.every=0",
)  # fmt: skip
# The same weights at the end, of configurations that differ: every how many updates is saved. The
# latents of "broken" are gone once it has been submitted.
ARMS: dict[str, list[str]] = {
    "limited": ["checkpoints.every=100"],
    "cancelled": ["checkpoints.every=101"],
    "broken": [],
    "drained": ["checkpoints.every=102"],
    "plain": ["checkpoints.every=103"],
    "last": ["checkpoints.every=104"],
}
NAMES = list(ARMS)


@contextlib.contextmanager
def watched():
    """Give the numbers of jobs that ran at once, looked at every second."""
    seen, over = [0], threading.Event()

    def look():
        while not over.wait(1):
            lines = called("squeue", "--noheader", "--array", "--states=RUNNING", "-o", "%i")
            seen.append(len(lines.splitlines()))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def test_an_array_survives_what_happens_to_its_arms(cluster, tmp_path):
    store, out = latent_store(tmp_path / "latents"), tmp_path / "study"
    steps = {"train": ["train", f"latents={store}", *WORDS]}
    lost = latent_store(tmp_path / "lost")
    config = SweepConfig(
        steps, {"case": ARMS | {"broken": [f"latents={lost}"]}}, retries=1, throttle=2
    )
    where = Launch("slurm", replace(SMALL, constraint=STEADY))

    with watched() as at_once:
        sweep.launch(config, out, where, resume=False, overwrite=False)
        lost.rename(tmp_path / "elsewhere")
        array = (out / JOBS).read_text().strip()
        folders = {row.values["case"]: arm_folder(out, row.name) for row in read_table(out).arms}
        arms = {
            case: Training(folder / "train", f"{array}_{NAMES.index(case)}")
            for case, folder in folders.items()
        }
        disturb(arms["cancelled"], arms["limited"])
        drain_the_node_of(arms["drained"])
        wait("the end of the array", lambda: not called("squeue", "--noheader"))

    found = {case: read_state(folder) for case, folder in folders.items()}
    assert {case: state.state for case, state in found.items()} == {
        "limited": "finished",
        "cancelled": "stopped",
        "broken": "failed",
        "drained": "finished",
        "plain": "finished",
        "last": "finished",
    }
    attempts = {case: state.attempt for case, state in found.items()}
    assert attempts == {
        "limited": 2,
        "cancelled": 1,
        "broken": 2,
        "drained": 2,
        "plain": 1,
        "last": 1,
    }
    assert "lost: no such folder" in " ".join(found["broken"].error)
    assert max(at_once) == 2

    (tmp_path / "elsewhere").rename(lost)
    sweep.launch(config, out, where, resume=True, overwrite=False)
    array = (out / JOBS).read_text().strip()
    assert (out / "slurm" / "arms-2-1.txt").read_text().split() == [
        folders["cancelled"].name,
        folders["broken"].name,
    ]
    wait("the end of the array", lambda: not called("squeue", "--noheader"))
    assert {read_state(folders[case]).state for case in ("cancelled", "broken")} == {"finished"}
    assert len({arm.weights for arm in arms.values()}) == 1
    assert all(arm.updates == list(range(1, UPDATES + 1)) for arm in arms.values())


def disturb(cancelled, limited):
    """The first two arms run together: one is cancelled, the time of the other is over."""
    with held(3, cancelled, limited):
        called("scancel", cancelled.number)
        end_soon(limited)
    limited.wait_for("PENDING")
    scontrol("update", f"jobid={limited.number}", "TimeLimit=60")


def drain_the_node_of(arm):
    """Nothing starts on the node until it is back; the other arm that runs there goes on."""
    with held(3, arm):
        scontrol("update", f"nodename={STEADY}", "state=drain", "reason=test")
        scontrol("requeue", arm.number)
    arm.wait_for("PENDING")
    time.sleep(5)
    assert arm.state == "PENDING"
    arm.wait_for_node()
    scontrol("update", f"nodename={STEADY}", "state=resume")
