"""Runs killed, stopped or out of disk at any moment end, with --resume, in the bytes of an uninterrupted run."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from hostile.long_runs import LONG, result
from hostile.starting import Started, called, enlarge, small_disk

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(3600)]
KILLS = int(os.environ.get("NEUROMF_KILLS", "3"))  # of each verb; the full run takes 20
WRITES = int(
    os.environ.get("NEUROMF_WRITES", "4")
)  # renamings at which each verb is killed; the full run takes 40
DISKS = int(
    os.environ.get("NEUROMF_DISKS", "2")
)  # sizes of a disk that fills; the full run takes 12
PLENTY = 64_000  # kB, enough for any of these runs


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """An own folder of all that is kept between runs."""
    before = os.environ.get("NEUROMF_HOME")
    os.environ["NEUROMF_HOME"] = str(tmp_path_factory.mktemp("home"))
    yield
    os.environ.pop("NEUROMF_HOME")
    if before is not None:
        os.environ["NEUROMF_HOME"] = before


@pytest.fixture(scope="session")
def whole(made, home):
    """For a verb: what an uninterrupted run leaves, and the seconds from its first file on."""
    known: dict[str, tuple[dict[str, str], float]] = {}

    def run(verb: str) -> tuple[dict[str, str], float]:
        if verb not in known:
            out = made / "whole" / verb / "out"  # models are named after it
            started = Started([verb, *words(verb, out)], made)
            while started.process.is_alive() and not (out / "run.json").exists():
                time.sleep(0.005)
            began = time.monotonic()
            code, said = started.wait()
            assert code == 0, said
            known[verb] = result(out), time.monotonic() - began
        return known[verb]

    return run


def words(verb: str, out: Path) -> list[str]:
    """The words of a run; a cache of features of its own, so that none finds the work done."""
    own = [f"cache={out.parent}/features"] if verb == "evaluate" else []
    return [*LONG[verb], *own, f"out={out}"]


def finished(verb: str, out: Path, made: Path, whole) -> None:
    """Resume a run, and again one that is finished: the same files as those of an uninterrupted one."""
    expected, _ = whole(verb)
    for _ in range(2):
        code, said = called([verb, *words(verb, out), "--resume"], made)
        assert code == 0, said
        assert "Traceback" not in said
        found = result(out)
        assert {k for k in found if found[k] != expected.get(k)} | (
            expected.keys() - found.keys()
        ) == set()


@pytest.mark.parametrize("verb", LONG)
def test_two_runs_leave_the_same_bytes(verb, made, whole, tmp_path):
    out = tmp_path / "out"
    assert called([verb, *words(verb, out)], made)[0] == 0
    found, expected = result(out), whole(verb)[0]
    assert {k for k in {*found, *expected} if found.get(k) != expected.get(k)} == set()


@pytest.mark.parametrize("number", range(KILLS))
@pytest.mark.parametrize("verb", LONG)
def test_killed_at_a_random_moment(verb, number, made, whole, tmp_path):
    chance = random.Random(f"{verb} {number}")
    out = tmp_path / "out"
    for _ in range(chance.choice([1, 1, 2])):  # one that goes on may be killed too
        run = Started([verb, *words(verb, out), "--resume"], made)
        run.signal_at(out / "run.json", chance.random() * whole(verb)[1], signal.SIGKILL)
        assert run.wait()[0] in {0, -signal.SIGKILL}
    finished(verb, out, made, whole)


@pytest.mark.parametrize("verb", LONG)
def test_killed_before_a_renaming(verb, made, whole, tmp_path):
    """At the first ones, where the folder becomes a run's, and at some of the others."""
    chance = random.Random(verb)
    moments = [1, 2, 3, *sorted(chance.sample(range(4, 44), WRITES))]
    for moment in moments[: WRITES + 3]:
        out = tmp_path / str(moment) / "out"
        code, said = called([verb, *words(verb, out)], made, moment)
        assert code in {0, -signal.SIGKILL}, said
        finished(verb, out, made, whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("verb", LONG)
def test_stopped_by_a_signal(verb, number, made, whole, tmp_path):
    chance = random.Random(f"{verb} {number}")
    out = tmp_path / "out"
    run = Started([verb, *words(verb, out)], made)
    run.signal_at(out / "run.json", chance.random() * whole(verb)[1], number)
    code, said = run.wait()
    assert code in ({0, 130} if number == signal.SIGINT else {0, -signal.SIGTERM}), said
    assert "Traceback" not in said
    finished(verb, out, made, whole)


@pytest.mark.parametrize("number", range(DISKS))
@pytest.mark.parametrize("verb", LONG)
def test_a_disk_that_fills(verb, number, made, whole, tmp_path):
    whole(verb)
    needed = sum(p.stat().st_blocks // 2 + 4 for p in (made / "whole" / verb).rglob("*"))
    kilobytes = 4 * max(
        2, int(needed * (number + random.Random(f"{verb} {number}").random()) / DISKS / 4)
    )
    disk = tmp_path / "disk"
    try:
        with small_disk(disk, kilobytes):
            out = disk / "out"
            code, said = called([verb, *words(verb, out)], made)
            assert code in {0, 2}, said
            if code == 2:
                assert "No space left" in said
                assert "Traceback" not in said
                assert (
                    len([line for line in said.splitlines() if line.startswith("neuromf: ")]) == 1
                )
            enlarge(disk, PLENTY)
            finished(verb, out, made, whole)
    except PermissionError as error:
        pytest.skip(f"no small disk can be made here: {error}")
