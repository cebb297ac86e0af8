"""Tables for readers: order, columns, numbers."""

import math

from evaluation.support import made_results
from neuromf.evaluation.score import Beside, Score
from neuromf.evaluation.tables import GROUPS, number, tables
from neuromf.metrics.intervals import Interval


def test_numbers_for_readers():
    assert [number(v) for v in (0.0, 1.23456, 12345.6, 0.00012, -0.5, math.nan, math.inf)] == [
        "0",
        "1.235",
        "12346",
        "1.20e-04",
        "-0.5",
        "–",
        "–",
    ]


def results(*sets):
    return made_results({f"set {i}": scores for i, scores in enumerate(sets)})


def test_detail_comes_before_features_and_likeness_last():
    keys = (
        "voxels/ssim",
        "copies/voxels/flagged",
        "net/fid",
        "spectrum/high",
        "partner/ssim",
        "regions/GM/kl",
    )
    found = tables(results([Score(key, key, 1.0, 12, 9) for key in keys]))
    assert [g.prefix for g in found] == [
        "spectrum",
        "net",
        "regions",
        "copies",
        "voxels",
        "partner",
    ]
    assert found[1].label == "a network"
    assert set(GROUPS) >= {"latents"}


def test_columns_that_hold_nothing_are_left_out():
    bare = Score("net/kid", "KID", 0.5, 12, 9)
    full = Score("net/fid", "FID", 2.0, 12, 9, interval=Interval(1.0, 3.0)).with_beside(
        samples=Beside(2.5, 0.1, 6, 4), real=Beside(1.5, 0.0, 6, 4)
    )
    (group,) = tables(results([bare, full], [bare]))
    headings = [(c.heading.text, c.equal_n) for c in group.columns]
    assert headings == [("set 0", False), ("set 1", False), ("set 0", True), ("real", True)]
    assert group.columns[0].cells[1] == ("2", "[1, 3]")
    assert group.columns[1].cells[1] == ("", "")  # this set lacks the metric
    assert group.columns[2].cells == [("", ""), ("2.5", "± 0.1, n = 6 / 4")]
    assert len(tables(results([bare]))[0].columns) == 1


def test_what_ranks_nothing_says_so():
    (group,) = tables(results([Score("voxels/ssim", "SSIM", 0.8, 12, 9, "none")]))
    assert group.rows[0].better == "cannot rank sets"
