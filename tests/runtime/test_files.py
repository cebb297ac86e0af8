import errno
import os

import pytest

from neuromf.runtime import files


def test_writing_is_whole_or_not_at_all(tmp_path):
    files.write_text(tmp_path / "a.txt", "first")
    with pytest.raises(RuntimeError), files.atomic(tmp_path / "a.txt") as temporary:
        temporary.write_text("sec")
        raise RuntimeError("killed")
    assert (tmp_path / "a.txt").read_text() == "first"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_full_disk_says_where(tmp_path):
    with pytest.raises(OSError, match=r"a\.json"), files.atomic(tmp_path / "a.json"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_no_two_names_are_one():
    assert files.numbered(["a", "b", "c"]) == ["a", "b", "c"]
    found = files.numbered(["a", "A", "a", "a-2", "b"])
    assert (found[0], found[3:]) == ("a", ["a-2", "b"])
    assert len({name.lower() for name in found}) == 5
