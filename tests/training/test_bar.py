"""How far a run is, told in a log where there is no terminal."""

from neuromf.training import bar, command
from training.support import tiny_config


def test_the_time_that_is_left_is_told_once(tmp_path, store, monkeypatch, capsys):
    monkeypatch.setattr(bar, "ESTIMATED", 2)
    command.run(tiny_config(store, updates=4), tmp_path / "run")
    said = capsys.readouterr().err
    assert said.count("for 2 updates") == 1
    assert "4 of 4 updates" in said
