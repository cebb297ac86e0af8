"""Pairs of volumes: which, and what comes of them."""

import pytest
import torch

from evaluation.conftest import MEASURES
from features.conftest import blob
from neuromf.evaluation.images import Pair, compare_pair, compare_pairs, drawn_pairs
from neuromf.features.cache import Cache
from neuromf.features.extract import Job
from neuromf.metrics.paired import ms_ssim, psnr, ssim


def test_all_pairs_or_a_draw_of_them():
    assert drawn_pairs(4, 99, 0, 0) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    some = drawn_pairs(40, 25, 0, 1)
    assert len(set(some)) == 25
    assert all(0 <= i < j < 40 for i, j in some)
    assert some == drawn_pairs(40, 25, 0, 1) != drawn_pairs(40, 25, 0, 2)
    assert drawn_pairs(1, 5, 0, 0) == []


def test_pairs(world, kept):
    job = Job(MEASURES, Cache(kept))
    a, b = world / "same" / "v100_T1w.nii.gz", world / "same" / "v101_T1w.nii.gz"
    x, y = (torch.from_numpy(blob(s).voxels) for s in (100, 101))
    assert compare_pair(job, Pair(a, b, "diversity"))["ms_ssim"] == pytest.approx(ms_ssim(x, y), abs=1e-4)
    found = compare_pair(job, Pair(a, b, "likeness"))
    assert found["ssim"] == pytest.approx(ssim(x, y), abs=1e-4)
    assert found["psnr"] == pytest.approx(psnr(x, y), abs=1e-2)
    rows = compare_pairs([Pair(a, b, "likeness"), Pair(a, a, "overlap"), Pair(a, b, "likeness")], job, 1, "pairs")
    assert rows[0] == rows[2] == found
    assert rows[1] == {} or rows[1]["dice.GM"] == 1  # an ellipsoid may be no brain
