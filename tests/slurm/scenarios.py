"""What happens to jobs: each scenario submits a training, disturbs it, and returns what became of
it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from neuromf.runtime.cluster import Job
from slurm.jobs import Submitted, end_soon, held, scontrol, submitted
from slurm.support import SHAKY, STEADY, called

NewJob = Callable[[str], Job]


@dataclass
class Outcome:
    """What a scenario saw."""

    weights: str
    updates: list[int]  # rows of the log at the end
    facts: dict[str, str]  # of SLURM, at the end
    run: str  # state in run.json
    seen: dict = field(default_factory=dict)


def outcome(training: Submitted, **seen) -> Outcome:
    """Wait for the end of a training that goes on by itself."""
    training.wait_for("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")
    facts = training.facts
    assert facts["JobState"] == "COMPLETED", (facts, logs(training))
    return Outcome(training.weights, training.updates, facts, training.record["state"], seen)


def logs(training: Submitted) -> str:
    """Return what a training's jobs printed."""
    found = sorted(Path(training.slurm.logs).glob("*.out")) + sorted(
        Path(training.slurm.logs).glob("*.err")
    )
    return "\n".join(f"== {path.name}\n{path.read_text()[-3000:]}" for path in found)


def undisturbed(job: NewJob, how: str) -> Outcome:
    """A job that nothing happens to."""
    settings = {"gres": "shelf:1", "extra": ("--comment=two words", "--nice")}
    return outcome(submitted(job(f"undisturbed-{how}"), how, **settings))


def time_limit(job: NewJob, how: str) -> Outcome:
    """The time is over in the middle of the training: SLURM warns it, and it goes on."""
    training = submitted(job(f"time-{how}"), how, constraint=STEADY)
    with held(4, training):
        end_soon(training)

    training.wait_for("PENDING")
    between, state = training.updates, training.record["state"]
    scontrol("update", f"jobid={training.number}", "TimeLimit=60")
    return outcome(training, between=between, state=state)


def cancelled(job: NewJob, how: str) -> Outcome:
    """The user cancels the job, and submits it again."""
    training = submitted(job(f"cancelled-{how}"), how, constraint=STEADY)
    with held(4, training):
        called("scancel", training.number)
    training.wait_for("CANCELLED", "COMPLETED", "PENDING", "FAILED")
    first = training.facts

    between, state = training.updates, training.record["state"]
    return outcome(training.submit(), first=first, between=between, state=state)


def lost_node(job: NewJob) -> dict[str, Outcome]:
    """A node goes down under two jobs and comes back; is drained while they are queued again, and
    comes back.
    """
    both = {how: submitted(job(f"node-{how}"), how, constraint=SHAKY) for how in ("print", "slurm")}
    with held(3, *both.values()):
        scontrol("update", f"nodename={SHAKY}", "state=down", "reason=test")
    for training in both.values():
        training.wait_for("PENDING")
        training.wait_for_node()
    down = {how: training.updates for how, training in both.items()}
    scontrol("update", f"nodename={SHAKY}", "state=resume")

    with held(2, *both.values()):
        scontrol("update", f"nodename={SHAKY}", "state=drain", "reason=test")
        draining = {how: training.state for how, training in both.items()}
        for training in both.values():
            scontrol("requeue", training.number)
    for training in both.values():
        training.wait_for("PENDING")
        training.wait_for_node()
    scontrol("update", f"nodename={SHAKY}", "state=resume")

    return {
        how: outcome(training, down=down[how], draining=draining[how])
        for how, training in both.items()
    }
