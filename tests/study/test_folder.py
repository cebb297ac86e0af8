import json
import subprocess
import sys
from dataclasses import replace

import pytest

from neuromf.runtime.config import ConfigError
from neuromf.runtime.lock import is_locked, lock
from neuromf.runtime.records import RecordError
from neuromf.study.arms import planned
from neuromf.study.folder import (
    State,
    arm_folder,
    read_state,
    read_table,
    seen_state,
    write_state,
    write_table,
)
from study.support import make_study, quick_study


@pytest.fixture
def arms():
    return planned(quick_study())


def test_the_table_is_read_as_it_was_written(tmp_path, arms):
    table = write_table(tmp_path, arms, {"toy": "toy"})
    assert read_table(tmp_path) == table
    assert table.groups == {"epochs-1": {"epochs": "1"}, "epochs-2": {"epochs": "2"}}
    assert [row.values for row in table.arms] == [{"epochs": "1"}, {"epochs": "2"}]
    assert (arm_folder(tmp_path, arms[0].name) / "toy.yaml").read_text() == arms[0].configs["toy"]


def test_an_arm_that_was_begun_keeps_its_configuration(tmp_path, arms):
    write_table(tmp_path, arms, {"toy": "toy"})
    changed = [replace(arms[0], configs={"toy": "seed: 9\n"}), arms[1]]
    write_table(tmp_path, changed, {"toy": "toy"})  # nothing has run: it may change
    write_state(arm_folder(tmp_path, arms[0].name), State().begun("toy"))
    with pytest.raises(ConfigError, match=f"{arms[0].name} was begun with another configuration"):
        write_table(tmp_path, arms, {"toy": "toy"})


def test_a_configuration_of_a_version_with_fewer_keys_goes_on(tmp_path, arms):
    text = arms[0].configs["toy"]
    lines = text.splitlines(keepends=True)
    (key,) = {line for line in lines if "flow_weight: 0.0" in line}
    older = "".join(line for line in lines if line != key)
    write_table(tmp_path, [replace(arms[0], configs={"toy": older})], {"toy": "toy"})
    write_state(arm_folder(tmp_path, arms[0].name), State().begun("toy"))
    write_table(tmp_path, arms, {"toy": "toy"})
    assert (arm_folder(tmp_path, arms[0].name) / "toy.yaml").read_text() == older

    changed = {"toy": text.replace(key, key.replace("0.0", "0.5"))}
    with pytest.raises(ConfigError, match="was begun with another configuration"):
        write_table(tmp_path, [replace(arms[0], configs=changed)], {"toy": "toy"})


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no study\.json.*neuromf sweep"):
        read_table(tmp_path)
    make_study(tmp_path, {"p": ["1", "2"]})
    record = json.loads((tmp_path / "study.json").read_text())
    for change, said in (
        ({"format": 7}, "format 7"),
        ({"arms": [*record["arms"], record["arms"][0]]}, "two arms of p-1 have seed 0"),
        ({"seeds": "none"}, "seeds"),
    ):
        (tmp_path / "study.json").write_text(json.dumps(record | change))
        with pytest.raises(RecordError, match=said):
            read_table(tmp_path)


def test_who_says_running_and_holds_no_lock_was_killed(tmp_path):
    state = State().begun("toy")
    write_state(tmp_path, state)
    assert seen_state(tmp_path).state == "stopped"
    with lock(tmp_path):
        assert seen_state(tmp_path) == state


def test_a_lock_of_another_process_is_seen_and_kept(tmp_path):
    code = (
        "import sys, pathlib; from neuromf.runtime.lock import lock\n"
        "with lock(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout.readline() == b"held\n"
    assert is_locked(tmp_path)
    assert is_locked(tmp_path)
    holder.communicate(b"")
    assert not is_locked(tmp_path)


def test_a_damaged_state_is_none(tmp_path):
    assert read_state(tmp_path) == State()
    (tmp_path / "state.json").write_text("{")
    assert read_state(tmp_path) == State()
