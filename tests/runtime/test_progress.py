import io

import pytest
from rich.console import Console

from neuromf.runtime import progress as module
from neuromf.runtime.progress import Lines, clock, progress


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (89, "89 s"), (700, "12 min"), (12_000, "3 h 20 min")]
)
def test_a_time_as_a_person_says_it(seconds, said):
    assert clock(seconds) == said


def test_without_a_terminal_there_are_lines(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    with progress("scans") as bar:
        assert isinstance(bar, Lines)
        bar.get_time = lambda: now[0]
        task = bar.add_task("prepare", total=1000)
        for _ in range(100):
            now[0] += 1
            bar.advance(task)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "prepare: 5 of 1000 scans, 1.00 scans/s, 17 min left",
        "prepare: 35 of 1000 scans, 1.00 scans/s, 16 min left",
        "prepare: 65 of 1000 scans, 1.00 scans/s, 16 min left",
        "prepare: 95 of 1000 scans, 1.00 scans/s, 15 min left",
    ]


def test_the_rate_of_a_resumed_run_is_its_own(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    with progress("scans") as bar:
        bar.get_time = lambda: now[0]
        task = bar.add_task("prepare", total=1000, completed=900)
        for _ in range(5):
            now[0] += 1
            bar.advance(task)
    assert capsys.readouterr().err == "prepare: 905 of 1000 scans, 1.00 scans/s, 2 min left\n"


def test_the_end_is_told(capsys):
    with progress("volumes") as bar:
        task = bar.add_task("generate", total=2)
        bar.advance(task)
        bar.advance(task)
    assert capsys.readouterr().err == "generate: 2 of 2 volumes in 0 s\n"


def test_on_a_terminal_there_is_a_bar(monkeypatch):
    monkeypatch.setattr(
        module, "Console", lambda stderr: Console(file=io.StringIO(), force_terminal=True)
    )
    assert not isinstance(progress("scans"), Lines)
