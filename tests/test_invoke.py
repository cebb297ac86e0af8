"""Words become a configuration, a folder and a place to run."""

import pytest

from neuromf.invoke import beside, run_verb, schema_of
from neuromf.runtime.config import ConfigError
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
