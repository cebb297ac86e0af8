import io
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from neuromf.reporting.plots import COLOURS, DPI, REFERENCE, colours, png, save, subplots


def test_a_figure_has_the_size_asked_for():
    with subplots(1, 2, size=(4, 2)) as (figure, (left, right)):
        left.plot([1, 2], label="a")
        right.plot([2, 1])
        left.legend()
    with Image.open(io.BytesIO(png(figure))) as image:
        assert image.size == (4 * DPI, 2 * DPI)
        assert image.info["dpi"] == pytest.approx((DPI, DPI), abs=0.1)
        assert np.asarray(image.convert("RGB"))[0, 0].tolist() == [255, 255, 255]


def test_nothing_is_left_behind():
    """Neither figures that pyplot keeps, nor settings of other people's figures."""
    with matplotlib.rc_context({"font.size": 33, "legend.frameon": True}):
        before = dict(matplotlib.rcParams)
        with subplots(size=(2, 2)) as (figure, axes):
            assert matplotlib.rcParams["legend.frameon"] is False
            axes.plot([1, 2])
        assert dict(matplotlib.rcParams) == before
    assert isinstance(figure, Figure)
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []


def test_the_first_lines_take_the_colours_in_order():
    with subplots(size=(2, 2)) as (_, axes):
        drawn = [axes.plot([i])[0].get_color() for i in range(9)]
    assert drawn == colours(9)


def test_colours_can_be_told_apart_up_to_eight():
    assert len({*colours(8), REFERENCE}) == 9
    assert colours(9)[8] == COLOURS[0]


def test_saving_writes_the_whole_file_or_none(tmp_path, monkeypatch):
    with subplots(size=(2, 2)) as (figure, _):
        pass
    assert save(tmp_path / "a.png", figure) == tmp_path / "a.png"
    assert (tmp_path / "a.png").read_bytes() == png(figure)

    def full(*a, **k):
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", full)
    with pytest.raises(OSError, match="disk full"):
        save(tmp_path / "b.png", figure)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
