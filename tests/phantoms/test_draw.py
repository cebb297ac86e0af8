from dataclasses import replace

import numpy as np
import pytest

from neuromf.data.cohort import read_cohort
from neuromf.phantoms import draw as drawing
from neuromf.phantoms.command import find_sources, run
from neuromf.phantoms.config import Appearance
from neuromf.phantoms.draw import bias_field, draw, touched_faces
from phantoms.support import SMALL, egg_cohort


def test_a_phantom_depends_on_its_seed_and_number_alone(coarse_mni152):
    (source,) = find_sources("mni152")
    alone = draw(source, 5, SMALL).volume
    np.testing.assert_array_equal(
        alone.voxels, draw(source, 5, replace(SMALL, n=100)).volume.voxels
    )
    assert (
        np.abs(alone.voxels - draw(source, 5, replace(SMALL, seed=1)).volume.voxels).mean() > 0.01
    )


def test_bias_fields_are_smooth_and_around_one(coarse_mni152):
    volume = draw(find_sources("mni152")[0], 0, SMALL).volume
    field = bias_field(volume, Appearance(bias=0.2), np.random.default_rng(0))
    assert np.log(field).std() == pytest.approx(0.2, rel=0.25)
    assert np.log(field).mean() == pytest.approx(0, abs=0.05)
    assert np.abs(np.diff(np.log(field), axis=0)).max() < 0.1


def test_copies_that_the_box_would_cut_are_drawn_again(tmp_path, capsys, monkeypatch):
    folder = egg_cohort(tmp_path / "c")
    config = replace(SMALL, source=str(folder), n=12)
    run(config, tmp_path / "out")
    copies = read_cohort(tmp_path / "out")
    again = [c.sidecar()["redrawn"] for c in copies]
    assert sum(n > 0 for n in again) >= 2
    assert (
        f"{sum(n > 0 for n in again)} drawn again, because the box would have cut"
        in capsys.readouterr().out
    )
    for copy in copies:
        assert not touched_faces(copy.read().voxels)
        assert copy.sidecar()["cut"] is False

    monkeypatch.setattr(drawing, "TRIES", 1)  # as they were drawn once
    run(config, tmp_path / "once")
    for copy, first, n in zip(copies, read_cohort(tmp_path / "once"), again, strict=True):
        assert (copy.record["sha256"] == first.record["sha256"]) == (n == 0)
    assert "cut by the box all the same" in capsys.readouterr().out
