"""Figure 1: drawn by code; nothing is cut off or lies on something else."""

import itertools

import pytest

from neuromf.paper.method_figure import HEIGHT, draw
from neuromf.paper.style import WIDE


@pytest.fixture(scope="module")
def drawn():
    made = draw(None)
    made.figure.draw_without_rendering()
    return made


def test_texts_are_inside_and_apart(drawn):
    [axes] = drawn.figure.axes
    dpi = drawn.figure.dpi
    boxes = {t.get_text(): t.get_window_extent() for t in axes.texts if t.get_text()}
    for text, box in boxes.items():
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= WIDE * dpi, text
        assert box.y1 <= HEIGHT * dpi, text
    for (one, a), (other, b) in itertools.combinations(boxes.items(), 2):
        apart = a.x1 < b.x0 or b.x1 < a.x0 or a.y1 < b.y0 or b.y1 < a.y0
        assert apart, (one, other)


def test_the_model_is_cited(drawn):
    assert [row["sha256"] for row in drawn.rows] == ["a" * 64, "b" * 64]
    assert not drawn.missing
    assert "MNI152" in drawn.caption
