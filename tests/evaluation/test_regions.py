"""Sizes of regions; SynthSeg's are kept for the files they are of."""

import pytest

from evaluation.support import measured
from neuromf.evaluation.config import EvaluationConfig
from neuromf.evaluation.measurer import Measurer
from neuromf.evaluation.regions import region_sizes
from neuromf.segmentation.synthseg import SynthSegConfig
from segmentation.test_synthseg import program


def test_synthseg_runs_once_over_a_set(world, kept, tmp_path):
    config = EvaluationConfig(
        reference=str(world / "real"),
        extractors=("random-3d",),
        morphology="synthseg",
        synthseg=SynthSegConfig(program(tmp_path)),
        cache=str(kept),
        workers=1,
    )
    measurer = Measurer(config, tmp_path)
    same = measured(world / "same", kept)
    found = region_sizes(same, measurer)
    assert found["hippocampus"].tolist() == pytest.approx([8.1 + i / 1000 for i in range(12)])
    assert "11 of 12" in measurer.notes.pop()
    (tmp_path / "mri_synthseg").write_text("#!/bin/sh\nexit 3\n")
    assert region_sizes(same, measurer)["hippocampus"].tolist() == found["hippocampus"].tolist()
    assert "11 of 12" in measurer.notes[-1]  # of the answer that was kept, too
    with pytest.raises(ValueError, match="status 3"):
        region_sizes(same.only([0, 1]), measurer)
