import shlex
import sys

import pytest

from neuromf.evaluation.command import CompareConfig
from neuromf.runtime.config import load
from neuromf.runtime.shell import item, typed


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")
@pytest.mark.parametrize("word", ["out=/tmp/my runs/samples", "out=a", "it's", "$HOME", ""])
def test_a_line_has_the_words_that_it_was_made_of(word):
    assert shlex.split(typed("neuromf", word)) == ["neuromf", word]


def test_windows_takes_double_quotes(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert typed("neuromf", r"out=C:\runs", r"in=C:\my runs") == (
        r'neuromf out=C:\runs "in=C:\my runs"'
    )


def test_a_list_of_folders_is_read_as_it_was_meant():
    folders = ("runs/a", "runs/a, b", r"C:\runs", 'say "hm"', "größe")
    word = f"sets=[{','.join(map(item, folders))}]"
    assert word.startswith('sets=[runs/a,"runs/a, b",')
    assert tuple(load(CompareConfig, [word, "reference=r"], "compare").sets) == folders
