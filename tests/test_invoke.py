"""Words become a configuration, a folder and a place to run."""

from dataclasses import replace

import pytest
import typer

from neuromf.invoke import _resumed, beside, run_verb, schema_of
from neuromf.runtime.config import ConfigError, to_yaml
from neuromf.training.strip_config import TrainSkullstripConfig
from neuromf.verbs import VERBS


def test_the_configuration_of_training_imports_no_trainer():
    """So that --dry-run, --help and refusals are quick."""
    import subprocess
    import sys

    code = (
        "import sys; from neuromf.invoke import schema_of; from neuromf.verbs import VERBS;"
        "schema_of(VERBS['train']); schema_of(VERBS['train-vae']);"
        "print([m for m in ('pytorch_lightning', 'monai', 'scipy', 'matplotlib', 'nibabel') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_out_is_the_last_named_and_beside_its_operand_otherwise(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run_verb("encode", VERBS["encode"], ["out=a", "out=b", "launch=print", "volumes=v"])
    assert f"out={tmp_path / 'b'} --resume" in capsys.readouterr().out
    assert beside("runs/latents", tmp_path).as_posix() == "runs/latents-inspection"
    assert beside("https://host/latents", tmp_path) == tmp_path
    assert beside("", tmp_path) == tmp_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["out="], "out= names no folder"),
        (["launch=cluster"], "launch"),
        (["launch=print", "slurm.hours=0"], "hours"),
        (["launch=print", "slurm.partitions=x"], "did you mean 'slurm.partition'"),
    ],
)
def test_bad_words_are_named(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        run_verb("encode", VERBS["encode"], ["volumes=v", *words])


def test_resume_and_overwrite_exclude_each_other():
    with pytest.raises(ConfigError, match="exclude each other"):
        run_verb("encode", VERBS["encode"], [], resume=True, overwrite=True)


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_a_schema(name):
    assert schema_of(VERBS[name]).__name__.endswith("Config")


def resumed(out, words):
    """Return how a run in `out` would be resumed with these words."""
    return _resumed("train-skullstrip", VERBS["train-skullstrip"], words, out)


def test_a_resumed_run_keeps_what_the_words_do_not_name(tmp_path):
    first = TrainSkullstripConfig(labels="maps", updates=7, batch=5)
    (tmp_path / "config.yaml").write_text(to_yaml(first))
    assert resumed(tmp_path, []) == first
    assert resumed(tmp_path, ["num_workers=2"]) == replace(first, num_workers=2)

    (tmp_path / "own.yaml").write_text("labels: others")
    assert resumed(tmp_path, [str(tmp_path / "own.yaml")]) == TrainSkullstripConfig(labels="others")
    with pytest.raises(ConfigError, match="updates in 'updates=many'"):
        resumed(tmp_path, ["updates=many"])


def test_nothing_to_resume_is_said(tmp_path):
    with pytest.raises(ConfigError, match="nothing to resume: .*none holds no config.yaml"):
        resumed(tmp_path / "none", [])
    assert resumed(tmp_path / "none", ["labels=maps"]) == TrainSkullstripConfig(labels="maps")


@pytest.mark.parametrize(
    ("begun", "told"), [(False, "nothing was begun in"), (True, "--resume continues in")]
)
def test_ctrl_c_says_whether_anything_is_there_to_resume(
    begun, told, tmp_path, monkeypatch, capsys
):
    def interrupted(config, out, **_):
        if begun:
            out.mkdir()
            (out / "config.yaml").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("neuromf.training.strip.run", interrupted)
    words = ["labels=maps", f"out={tmp_path / 'mine'}"]
    with pytest.raises(typer.Exit) as stopped:
        run_verb("train-skullstrip", VERBS["train-skullstrip"], words)
    assert stopped.value.exit_code == 130
    assert f"neuromf: stopped; {told} {tmp_path / 'mine'}" in capsys.readouterr().err
