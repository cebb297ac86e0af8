"""The suite: every set gets the same figures; SynthSeg's sizes are kept for the files they are of."""

from dataclasses import replace

import pytest
from morphology.test_synthseg import program

from evaluation.support import material
from neuromf.evaluation.measured import Bench, Protocol
from neuromf.evaluation.run import judge, method_of, region_sizes
from neuromf.evaluation.sets import read_set
from neuromf.segmentation.synthseg import SynthSegConfig


@pytest.fixture
def protocol(world, kept):
    return Protocol(
        reference=str(world / "real"),
        extractors=("random-3d",),
        morphology="none",
        vae="none",
        bootstrap=10,
        draws=2,
        pairs=4,
        cache=str(kept),
        workers=1,
    )


def test_every_set_has_the_same_figures(protocol, world, tmp_path):
    sets = [read_set(str(world / name)) for name in ("same", "bright")]
    found = judge(sets, Bench(protocol, tmp_path))
    one, other = ([s.key for s in j.scores] for j in found.sets)
    assert one == other
    assert found.sets[0].score("random-3d/fid").value < found.sets[1].score("random-3d/fid").value
    assert found.sets[0].score("nothing") is None
    assert found.reconstruction is None
    assert any("no VAE is named" in note for note in found.notes)
    assert any("train= names no training data" in note for note in found.notes)


def test_a_second_real_set_is_the_bound(protocol, world, tmp_path):
    config = replace(protocol, real=str(world / "others"))
    found = judge([read_set(str(world / "same"))], Bench(config, tmp_path))
    beside = found.sets[0].score("random-3d/kid").beside
    assert (beside["real"].n, beside["real"].m) == (12, 10)
    assert (beside["samples"].n, beside["samples"].m) == (12, 10)


def test_synthseg_runs_once_over_a_set(protocol, world, kept, tmp_path):
    config = replace(protocol, morphology="synthseg", synthseg=SynthSegConfig(program(tmp_path)))
    bench = Bench(config, tmp_path)
    same = material(world / "same", kept)
    found = region_sizes(same, bench)
    assert found["hippocampus"].tolist() == pytest.approx([8.1 + i / 1000 for i in range(12)])
    assert "11 of 12" in bench.notes[-1]
    assert method_of(bench) == "SynthSeg"
    (tmp_path / "mri_synthseg").write_text("#!/bin/sh\nexit 3\n")
    assert region_sizes(same, bench)["hippocampus"].tolist() == found["hippocampus"].tolist()
    with pytest.raises(ValueError, match="status 3"):
        region_sizes(same.only([0, 1]), bench)
