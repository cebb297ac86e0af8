"""The LaTeX table has a row for each group, and its text is escaped."""

from neuromf.study.collected import collect
from neuromf.study.groups import summaries
from neuromf.study.latex import escaped, latex
from study.support import toy_study


def test_a_table(tmp_path):
    toy_study(tmp_path, {"p_a": ["1", "2"]}, (1, 2, 3), lambda v, seed: float(v["p_a"]) * seed)
    (tmp_path / "arms" / "p_a-2_seed-3" / "toy" / "run.json").unlink()
    found = collect(tmp_path, ["distance_1"])
    lines = latex(found, summaries(found)).splitlines()
    assert lines[2:] == [
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r"p\_a & seeds & distance\_1 $\downarrow$ \\",
        r"\midrule",
        r"1 & 3 & 2 $\pm$ 1 \\",
        r"2 & 2 & 3 $\pm$ 1.4 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_special_characters():
    assert escaped("a_b&50%#{x}$") == r"a\_b\&50\%\#\{x\}\$"
    assert escaped("\\~^") == r"\textbackslash{}\textasciitilde{}\textasciicircum{}"
