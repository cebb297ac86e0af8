import base64
import io
import json
from importlib import resources

import jinja2
import numpy as np
import pytest
from PIL import Image

from neuromf.reporting import page as pages
from neuromf.reporting.page import image, render
from neuromf.reporting.plots import png, save, subplots
from reporting.support import Page, check_page

HOSTILE = """<script>alert("1")</script>'&"""
TEMPLATE = """{% extends "base.html" %}{% from "parts.html" import plot, row, sheet, table %}
{% block content %}<p>{{ said }}</p>
{% call table(said) %}<tr><th scope="row">{{ said }}</th><td>1</td></tr>{% endcall %}
{{ plot(picture, said, said) }}{{ sheet(picture, said) }}{{ row([picture, picture], said, [said, said]) }}{% endblock %}"""


@pytest.fixture
def rendered(monkeypatch):
    """Return a page of a template in memory."""

    def of(source, folder, **values):
        texts = {"mine.html": source}
        own = jinja2.ChoiceLoader(
            [jinja2.DictLoader(texts), jinja2.PackageLoader("neuromf.reporting", ".")]
        )
        environment = pages.environment("neuromf.reporting").overlay(loader=own)
        monkeypatch.setattr(pages, "environment", lambda package: environment)
        return render("neuromf.reporting", "mine.html", run=folder, **values)

    return of


@pytest.fixture
def folder(tmp_path):
    """The folder of a run whose name and words are hostile."""
    folder = tmp_path / HOSTILE.replace("/", "∕")
    folder.mkdir()
    record = {"started": "2026-01-02T03:04:05+0000", "versions": {"neuromf": "9.8.7"}}
    record |= {"verb": "toy", "command": ["neuromf", "toy", f"out={folder}"]}
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def test_all_that_is_given_is_escaped(rendered, folder):
    picture = np.zeros((2, 3), np.uint8)
    source = rendered(TEMPLATE, folder, title=HOSTILE, said=HOSTILE, picture=picture)
    page = check_page(source, "toy")
    assert "<script" not in source
    assert page.text.count(HOSTILE) == 1 + 1 + 1 + 2 + 1 + 2  # title twice, p, table twice, ...
    assert [a["alt"] for a in page.all("img")] == [HOSTILE, HOSTILE, f"{HOSTILE} 1", f"{HOSTILE} 2"]
    assert {a["aria-label"] for a in page.all("div") if "aria-label" in a} == {HOSTILE}


def test_it_says_what_was_run_and_how_to_run_it_again(rendered, folder):
    page = check_page(rendered('{% extends "base.html" %}', folder, title="T"), "toy")
    for words in ("2 January 2026, 03:04", "NeuroMF 9.8.7", "config.yaml", "-again"):
        assert words in page.text
    assert page.text.count(folder.name.replace("'", "'\"'\"'")) == 3  # quoted for a shell


def test_every_kind_of_picture(tmp_path):
    with subplots(size=(3, 2)) as (figure, _):
        pass
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    path = save(tmp_path / "a.png", figure)
    held = {}
    for name, given in (("path", path), ("figure", figure), ("array", array)):
        [tag] = Page(image(given, name)).all("img")
        content = base64.b64decode(tag["src"].removeprefix("data:image/png;base64,"))
        held[name] = content, (int(tag["width"]), int(tag["height"]))
    assert held["path"] == held["figure"] == (png(figure), (288, 192))  # at 96 pixels an inch
    assert held["array"][1] == (3, 2)
    with Image.open(io.BytesIO(held["array"][0])) as opened:
        np.testing.assert_array_equal(np.asarray(opened), array)
    assert image(Image.fromarray(array), "array") == image(array, "array")


def test_a_value_that_nobody_gave_is_an_error(rendered, folder):
    with pytest.raises(jinja2.UndefinedError, match="sid"):
        rendered(
            '{% extends "base.html" %}{% block content %}{{ sid }}{% endblock %}', folder, title="T"
        )


def test_templates_stand_beside_the_code():
    here = {p.name for p in resources.files("neuromf.reporting").iterdir()}
    assert {"base.html", "parts.html", "page.css"} <= here
