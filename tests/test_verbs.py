import importlib
import subprocess
import sys
from dataclasses import is_dataclass

import pytest

from neuromf.invoke import schema_of
from neuromf.verbs import VERBS


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_is_a_dataclass_and_a_function(name):
    verb = VERBS[name]
    assert is_dataclass(schema_of(verb))
    assert callable(importlib.import_module(verb.module).run)
    assert verb.help.endswith((".", "FOLDER."))


def test_the_table_imports_nothing():
    code = "import sys; import neuromf.verbs; print([m for m in ('torch', 'typer', 'omegaconf') if m in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )
