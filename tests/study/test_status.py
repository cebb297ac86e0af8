import pytest

from neuromf.runtime.lock import lock
from neuromf.study.arms import planned
from neuromf.study.folder import State, arm_folder, read_table, write_state, write_table
from neuromf.study.status import Teller, headline, seconds_left, share_done, standing, standings
from study.support import quick_study


@pytest.fixture
def study(tmp_path):
    arms = planned(quick_study([1, 2], (0, 1)))
    write_table(tmp_path, arms, {"toy": "toy"})
    folders = [arm_folder(tmp_path, arm.name) for arm in arms]
    write_state(folders[0], State("finished", 1, step="toy", seconds=30.0))
    write_state(folders[1], State("failed", 2, step="toy", error=["toy: ValueError: no"]))
    write_state(folders[2], State().begun("toy"))
    return tmp_path, folders


def test_every_arm_with_its_state(study):
    folder, folders = study
    with lock(folders[2]):
        found = standings(folder, read_table(folder))
        assert [s.state.state for s in found] == ["finished", "failed", "running", "waiting"]
        assert headline(found, 2) == (
            "4 arms: 1 finished, 1 running, 1 waiting, 1 failed, 30 s left"
        )
    text = standing(folder)
    assert "1 stopped" in text.splitlines()[-1]
    assert "epochs-1_seed-1 failed, attempt 2:\n  toy: ValueError: no" in text


def test_time_left_is_that_of_those_who_finished(study):
    found = standings(study[0], read_table(study[0]))
    assert seconds_left(found, 1) == 60
    assert seconds_left(found, 2) == 30
    assert seconds_left(found[1:], 2) is None


def test_a_training_tells_its_updates(tmp_path):
    (tmp_path / "train.yaml").write_text("seed: 0\nupdates: 40\n")
    (tmp_path / "train").mkdir()
    state = State("running", 1, step="train")
    assert share_done(tmp_path, state, ["train", "draw"]) == 0
    (tmp_path / "train" / "log.csv").write_text("update,raw\n1,2.0\n10,1.0\n")
    assert share_done(tmp_path, state, ["train", "draw"]) == 10 / 40 / 2
    assert share_done(tmp_path, State("stopped", 1, step="draw"), ["train", "draw"]) == 0.5
    assert share_done(tmp_path, State("running", 1, step="gone"), ["train"]) == 0


def test_it_is_told_every_so_often(study):
    teller = Teller(study[0], read_table(study[0]), 1, 1000)
    assert teller.due()
    assert not teller.due()


def test_a_finished_arm_is_read_once(study):
    folder, folders = study
    teller = Teller(folder, read_table(folder), 1, 1000)
    assert [s.state.state for s in teller.found()][:2] == ["finished", "failed"]
    for own in folders:
        (own / "state.json").unlink(missing_ok=True)
    assert [s.state.state for s in teller.found()][:2] == ["finished", "waiting"]
