"""The keys of the verb are those of a file of sources, and the file itself."""

from dataclasses import fields

from neuromf.invoke import resolved
from neuromf.paper.config import PaperConfig, PaperSources
from neuromf.verbs import VERBS


def test_every_source_is_a_key():
    assert {f.name for f in fields(PaperConfig)} - {f.name for f in fields(PaperSources)} == {
        "sources"
    }


def test_words_of_the_command_line():
    words = ["sources=a.yaml", "compare=[a,b]", "studies.torus=c.csv", "people=[one]"]
    config = resolved("paper", VERBS["paper"], words)
    assert config.compare == ("a", "b")
    assert config.studies.torus == "c.csv"
    assert config.people == ("one",)
