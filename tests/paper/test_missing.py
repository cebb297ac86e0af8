"""What is missing says which command would make it."""

from dataclasses import fields

import pytest

from neuromf.paper.config import PaperSources, Studies
from neuromf.paper.missing import COMMANDS, NOT_GIVEN, Missing, MissingError, draw_missing, of_error
from neuromf.paper.sources import NO_PATHS
from neuromf.paper.style import page
from neuromf.verbs import VERBS


def test_every_source_has_a_command():
    keys = {f.name for f in fields(PaperSources)} - {*NO_PATHS, "studies"}
    assert set(COMMANDS) == keys | {f"studies.{f.name}" for f in fields(Studies)}


@pytest.mark.parametrize("command", COMMANDS.values())
def test_commands_are_those_of_the_package(command):
    words = [word.split()[1] for word in command.split(", then ") if word.startswith("neuromf")]
    assert set(words) <= set(VERBS)
    assert words or command == "make bench"


def test_texts():
    assert Missing("Table 4a", "usefulness", NOT_GIVEN).text.startswith("not run: neuromf usefuln")
    found = of_error("Figure 2", MissingError("toy", "a is no folder")).text
    assert found == f"missing: a is no folder. Made by: {COMMANDS['toy']}"


def test_it_is_written_into_the_panel():
    with page(3.5, 2) as figure:
        axes = figure.subplots()
        draw_missing(axes, Missing("Figure 2", "toy", NOT_GIVEN))
        draw_missing(figure.add_subplot(), Missing("Figure 3", "toy", "$x^{ is no folder"))
    figure.draw_without_rendering()  # a dollar is no formula
    [text] = axes.texts
    assert text.get_text().replace("\n", " ") == f"not run: {COMMANDS['toy']}"
    assert not axes.get_xticks().size
