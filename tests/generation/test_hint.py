"""Commands to copy, in a POSIX shell and in that of Windows."""

import os
import shlex

from neuromf.evaluation.command import CompareConfig
from neuromf.generation.hint import hint, item
from neuromf.runtime.config import load


def test_ordinary_words_are_as_they_are():
    assert hint("generate", "model=runs/mine", "n=4") == "neuromf generate model=runs/mine n=4"


def test_a_shell_reads_what_was_meant(monkeypatch):
    words = ("generate", "model=my runs/it's $HOME", "n=4")
    monkeypatch.setattr(os, "name", "posix")
    assert shlex.split(hint(*words)) == ["neuromf", *words]


def test_windows_has_double_quotes_and_leaves_backslashes(monkeypatch):
    monkeypatch.setattr(os, "name", "nt")
    plain, spaces = hint("generate", r"model=C:\runs"), hint("generate", r"model=C:\my runs")
    monkeypatch.undo()
    assert plain == r"neuromf generate model=C:\runs"
    assert spaces == r'neuromf generate "model=C:\my runs"'


def test_a_list_of_folders_is_read_as_it_was_meant():
    folders = ("runs/a", "runs/a, b", r"C:\runs", 'say "hm"', "größe")
    word = f"sets=[{','.join(map(item, folders))}]"
    assert word.startswith('sets=[runs/a,"runs/a, b",')
    assert tuple(load(CompareConfig, [word, "reference=r"], "compare").sets) == folders
