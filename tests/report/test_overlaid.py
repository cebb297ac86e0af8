from neuromf.report.overlaid import overlays, style
from neuromf.report.trained import read_trained
from report.support import make_run


def test_every_run_has_a_curve_and_a_missing_one_is_told(tmp_path):
    runs = [
        read_trained(make_run(tmp_path / "a")),
        read_trained(make_run(tmp_path / "b", parts=("log",))),
    ]
    found = overlays(runs)
    assert sorted(found) == ["evaluation", "losses", "speed"]
    left, _right = found["losses"].axes
    assert [line.get_label() for line in left.lines] == ["a", "b"]
    assert found["evaluation"].axes[0].get_title(loc="right") == "missing in 1 of 2 runs"
    assert [t.get_text() for t in found["losses"].legends[0].get_texts()] == ["a", "b"]


def test_what_no_run_measured(tmp_path):
    runs = [read_trained(make_run(tmp_path / n, parts=())) for n in "ab"]
    for figure in overlays(runs).values():
        assert all(
            "no run measured it" in a.texts[0].get_text().replace("\n", " ") for a in figure.axes
        )


def test_twenty_eight_runs_look_different():
    assert len({tuple(sorted(style(i).items())) for i in range(28)}) == 28
