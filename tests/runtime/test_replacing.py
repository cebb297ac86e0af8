import contextlib
import subprocess
import sys
from dataclasses import dataclass
from subprocess import PIPE

import pytest

from neuromf.runtime.folders import Output, temporary_name
from neuromf.runtime.replacing import (
    refuse_held,
    remove_replaced,
    remove_temporaries,
    set_aside,
)
from neuromf.runtime.run import open_run


@dataclass(frozen=True)
class Config:
    seed: int = 0


HOLD = """
import sys, time
from pathlib import Path
from neuromf.runtime.lock import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def held(folder):
    """Let another process hold a folder, as an arm does whose study was killed."""
    folder.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=PIPE)
    try:
        assert process.stdout.readline() == b"held\n"
        yield
    finally:
        process.kill()
        process.communicate()


def test_what_is_half_written_goes_unless_it_is_being_written(tmp_path):
    going, gone = (tmp_path / "arms" / name / "checkpoints" for name in ("going", "gone"))
    paths = [temporary_name(folder / "last.ckpt") for folder in (tmp_path, going, gone)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (gone.parent / ".lock").touch()
    with held(going.parent):
        remove_temporaries(tmp_path)
    assert [path.exists() for path in paths] == [False, True, False]
    remove_temporaries(tmp_path)
    assert not paths[1].exists()


def test_nothing_is_replaced_below_which_somebody_writes(tmp_path):
    out, output = tmp_path / "study", Output("toy", ("arms/**",), loose=("arms/**",))
    with open_run(out, Config(), output):
        (out / "arms" / "b").mkdir(parents=True)
    with (
        held(out / "arms" / "a"),
        pytest.raises(FileExistsError, match=r"writing arms/a: wait .* neuromf sweep stop"),
        open_run(out, Config(), output, overwrite=True),
    ):
        pass
    assert (out / "arms" / "a" / ".lock").exists()
    refuse_held(out)
    with open_run(out, Config(), output, overwrite=True):
        pass
    assert not (out / "arms").exists()


def test_links_are_moved_and_not_followed(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "scan").touch()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path / "data")
    set_aside(tmp_path / "out")
    remove_replaced(tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
    assert (tmp_path / "data" / "scan").exists()
