"""Tables for readers: order, columns, numbers."""

import math
from types import SimpleNamespace

from neuromf.evaluation.run import Judged
from neuromf.evaluation.score import Beside, Score
from neuromf.evaluation.tables import GROUPS, grouped, number
from neuromf.metrics.intervals import Interval


def test_numbers_for_readers():
    assert [
        number(v) for v in (0.0, 1.23456, 12345.6, 0.00012, -0.5, None, math.nan, math.inf)
    ] == [
        "0",
        "1.235",
        "12346",
        "1.20e-04",
        "-0.5",
        "–",
        "–",
        "–",
    ]


def results(*sets):
    judged = [Judged(Sized(f"set {i}"), scores) for i, scores in enumerate(sets)]
    bench = SimpleNamespace(config=SimpleNamespace(extractors=("net",)))
    return SimpleNamespace(
        sets=judged, bench=bench, extractors=[SimpleNamespace(label="a network")]
    )


class Sized:
    """A set of twelve volumes, by its name alone."""

    def __init__(self, name):
        self.name = name

    def __len__(self):
        return 12


def test_detail_comes_before_features_and_likeness_last():
    keys = (
        "voxels/ssim",
        "copies/voxels/flagged",
        "net/fid",
        "spectrum/high",
        "partner/ssim",
        "regions/GM/kl",
    )
    found = grouped(results([Score(key, key, 1.0, 12, 9) for key in keys]))
    assert [g["prefix"] for g in found] == [
        "spectrum",
        "net",
        "regions",
        "copies",
        "voxels",
        "partner",
    ]
    assert found[1]["label"] == "a network"
    assert set(GROUPS) >= {"latents"}


def test_columns_that_hold_nothing_are_left_out():
    bare = Score("net/kid", "KID", 0.5, 12, 9)
    full = Score("net/fid", "FID", 2.0, 12, 9, interval=Interval(1.0, 3.0)).with_beside(
        samples=Beside(2.5, 0.1, 6, 4), real=Beside(1.5, 0.0, 6, 4)
    )
    (group,) = grouped(results([bare, full], [bare]))
    headings = [(c.heading.text, c.bound) for c in group["columns"]]
    assert headings == [("set 0", False), ("set 1", False), ("set 0", True), ("real", True)]
    assert group["columns"][0].cells[1] == ("2", "[1, 3]")
    assert group["columns"][1].cells[1] == ("", "")  # this set lacks the figure
    assert group["columns"][2].cells == [("", ""), ("2.5", "± 0.1, n = 6 / 4")]
    assert len(grouped(results([bare]))[0]["columns"]) == 1


def test_what_ranks_nothing_says_so():
    (group,) = grouped(results([Score("voxels/ssim", "SSIM", 0.8, 12, 9, "none")]))
    assert group["rows"][0]["better"] == "cannot rank sets"
