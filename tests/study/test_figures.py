"""Every seed is a point, and the front holds the groups that nothing beats."""

import pytest

from neuromf.study.collected import collect
from neuromf.study.figures import draw_front, draw_measure, front_of
from neuromf.study.groups import summaries
from study.support import make_study, scored, toy_study


def test_every_seed_is_a_point(tmp_path):
    toy_study(tmp_path, {"p": ["1", "2"]}, value=lambda v, seed: float(v["p"]) + seed)
    found = collect(tmp_path, ["distance_1"])
    (axes,) = draw_measure(found, found.measures[0], summaries(found)).axes
    points = [line.get_xdata() for line in axes.lines if line.get_marker() == "."]
    assert [list(x) for x in points] == [[1, 2, 3], [2, 3, 4]]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["p-1", "p-2"]
    assert "smaller is better" in axes.get_xlabel()


@pytest.mark.parametrize(("diverged", "arrows"), [(0.9, 0), (1e6, 1)])
def test_a_training_that_diverged_is_an_arrow_and_the_others_stay_apart(tmp_path, diverged, arrows):
    values = {"1": 0.2, "2": 0.3, "3": diverged}
    toy_study(tmp_path, {"p": list(values)}, value=lambda v, seed: values[v["p"]] + 0.01 * seed)
    found = collect(tmp_path, ["distance_1"])
    (axes,) = draw_measure(found, found.measures[0], summaries(found)).axes
    assert sum(line.get_marker() == ">" for line in axes.lines) == arrows
    assert ("arrows: beyond" in axes.get_xlabel()) == bool(arrows)
    low, high = axes.get_xlim()
    assert high - low < 2
    assert low < 0.2
    assert high > 0.3


@pytest.mark.parametrize("ssim", [(0.7, 0.8, 0.6)])
def test_the_front_of_fid_and_ssim(tmp_path, ssim):
    fid = (1.0, 2.0, 3.0)
    for name, _, seed, values in make_study(
        tmp_path, {"p": ["0", "1", "2"]}, (0, 1), {"evaluate": "evaluate"}
    ):
        number = int(values["p"])
        scores = {"net/fid": fid[number] + 0.01 * seed, "voxels/ssim": ssim[number]}
        scored(tmp_path / "arms" / name / "evaluate", scores)
    found = collect(tmp_path)
    rows = summaries(found)
    front = front_of(found, rows)
    assert front == ("net/fid", "voxels/ssim", ["p-0", "p-1"])
    (axes,) = draw_front(found, rows, *front).axes
    assert {t.get_text() for t in axes.texts} == {"p-0", "p-1", "p-2"}
    assert front_of(collect(tmp_path, ["net/fid"]), rows) is None
