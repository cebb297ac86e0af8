"""The house in order: modules have tests, presets load, test ids are in the docs."""

import re
from pathlib import Path

import pytest

from neuromf import cli
from neuromf.runtime import config as settings

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "src" / "neuromf").rglob("*.py"))
PRESETS = sorted((ROOT / "src" / "neuromf" / "presets").rglob("*.yaml"))


@pytest.mark.parametrize(
    "module", [m for m in MODULES if m.name != "__init__.py"], ids=lambda m: m.stem
)
def test_every_module_has_a_test_file(module):
    where = module.relative_to(ROOT / "src" / "neuromf")
    assert (ROOT / "tests" / where.parent / f"test_{where.name}").is_file()


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(ROOT / "src")))
def test_every_module_says_what_it_is(module):
    text = module.read_text(encoding="utf-8")
    assert text.startswith('"""')
    assert len(text.splitlines()) <= 300


@pytest.mark.parametrize("preset", PRESETS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_preset_loads_into_its_class(preset):
    verb = cli.VERBS[preset.parent.name]
    schema = cli.schema_of(verb)
    assert isinstance(settings.load(schema, [f"preset={preset.stem}"], preset.parent.name), schema)


def test_no_figure_is_missing_from_the_docs():
    texts = {
        p: p.read_text(encoding="utf-8")
        for p in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
    }
    holes = {p.name: re.findall(r"@[A-Z0-9]+@|\bTODO\b|\bTBD\b", text) for p, text in texts.items()}
    assert {name: found for name, found in holes.items() if found} == {}
