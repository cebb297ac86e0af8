"""Figures are drawn of results alone, for what is there, and only for that."""

import io

import numpy as np
from PIL import Image

from evaluation.support import made_results
from neuromf.evaluation import plots
from neuromf.evaluation.results import CopiesRecord, ReconstructionRecord
from neuromf.evaluation.score import Score
from neuromf.evaluation.slices import of_volume
from neuromf.reporting.plots import png

SLICES = {of_volume(name, 0): np.full((8, 24), 99, np.uint8) for name in ("real", "a", "b")}


def scores(value):
    return [Score(f"net/{key}", key, value, 12, 9) for key in ("fid", "kid", "mmd")]


def test_every_figure_is_drawn():
    copies = CopiesRecord("voxels", 0.2, (), (0.1, 0.4, 0.5), (0.3, 0.2))
    results = made_results(
        {"a": scores(1.0), "b": scores(2.0)},
        copies={"a": (copies,)},
        reconstruction=ReconstructionRecord(3, (4.0, 2.0, 0.5)),
    )
    found = plots.figures(results, SLICES)
    assert list(found) == ["volumes", "spectra", "regions", "merits-net", "copies-a-voxels"]
    assert np.asarray(found.pop("volumes")).std() > 1  # not blank
    for figure in found.values():
        with Image.open(io.BytesIO(png(figure))) as image:
            assert np.asarray(image).std() > 1


def test_what_is_not_there_is_not_drawn():
    results = made_results({"a": [Score("net/mmd", "MMD", 1.0, 12, 9)]})
    bare = results.sets["a"]
    assert "merits-net" not in plots.figures(results, SLICES)
    assert plots.plotted(results, "net") == []
    assert plots.regions_shown(results) == ["GM"]
    results.sets["a"].region_ml.clear()
    assert plots.regions_shown(results) == []
    assert bare.score("net/fid") is None


def test_plotted_metrics_are_those_of_the_table():
    assert plots.plotted(made_results({"a": scores(1.0)}), "net") == ["net/fid", "net/kid"]


def test_each_set_has_a_histogram_of_its_own():
    copies = CopiesRecord("voxels", 0.2, (), (0.1, 0.4), (0.3, 0.2))
    results = made_results({}, copies=dict.fromkeys(("a b", "a_b", "A_b"), (copies,)))
    names = plots.copies_names(results)
    assert names["a b", "voxels"] == "copies-a_b-voxels"
    assert len({name.lower() for name in names.values()}) == 3


def test_a_panel_is_titled_by_its_whole_extractor():
    results = made_results({"a": [Score("3d:/data/net.pt/fid", "FID", 1.0, 12, 9)]})
    figure = plots.metrics_by_set(results, ["3d:/data/net.pt/fid"])
    assert figure.axes[0].get_title() == "3d:/data/net.pt: FID"


def test_names_of_files():
    assert plots.safe("a b/c:d") == "a_b_c_d"
