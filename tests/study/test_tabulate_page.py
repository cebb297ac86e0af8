"""Numbers, p values and intervals as a reader wants them; nothing stands where nothing is known."""

import math

from neuromf.metrics.effects import UNKNOWN, Effect
from neuromf.metrics.intervals import Interval
from neuromf.study.tables import tables_of
from neuromf.study.tabulate_page import effect, interval, sentence, shown, small, text
from study.support import toy_study


def test_numbers():
    assert shown(0.123456) == "0.1235"
    assert shown(math.nan) == "–"
    assert (small(0.0001), small(0.04), small(math.nan)) == ("< 0.001", "0.040", "–")
    assert interval(Interval(1, 2.5)) == "[1, 2.5]"
    assert interval(Interval(math.nan, math.nan)) == "–"
    assert effect(Effect(1.234, Interval(-1, 3))) == "1.23 [-1.00, 3.00]"
    assert effect(UNKNOWN) == "–"


def test_the_table_in_short(tmp_path):
    toy_study(tmp_path, {"p": ["1", "2", "3"]}, value=lambda v, s: float(v["p"]) + 0.1 * s**2)
    (tmp_path / "arms" / "p-3_seed-0" / "toy" / "run.json").unlink()
    tables = tables_of(tmp_path, ["distance_1"])
    lines = text(tables).splitlines()
    assert lines[1].split() == ["p-1", "1.167", "±", "0.21", "(3)"]
    assert sum("Welch ANOVA" in line for line in lines) == 1
    assert not any("Games-Howell" in line for line in lines)
    assert any(line.startswith("warning: p-3_seed-0") for line in lines)
    assert sentence(tables.results[1]).startswith("distance_1, p: 1 − 2: -1 [")
