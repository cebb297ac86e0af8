"""Pairs of volumes: which, and what comes of them."""

from pathlib import Path

import torch

from evaluation.support import MEASURES
from neuromf.evaluation import pairs as images
from neuromf.evaluation.pairs import Pair, Shelf, compare_pairs, drawn_pairs
from neuromf.features.cache import Cache
from neuromf.features.extract import Job, read_prepared
from neuromf.metrics.similarity import local_moments, ms_ssim, psnr, ssim


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
    x, y = (torch.from_numpy(read_prepared(p, job).voxels) for p in (a, b))
    pairs = [
        Pair(a, b, "likeness"),
        Pair(a, b, "diversity"),
        Pair(b, a, "likeness"),
        Pair(a, b, "likeness"),
    ]
    rows = compare_pairs(pairs, job, 1)
    assert len(rows) == 3
    assert rows[pairs[0]] == {
        "ssim": ssim(x, y),
        "psnr": psnr(x, y),
    }  # to the last digit: moments are reused
    assert rows[pairs[1]] == {"ms_ssim": ms_ssim(x, y)}


def test_each_volume_is_prepared_once(world, kept, monkeypatch):
    job = Job(MEASURES, Cache(kept))
    paths = sorted((world / "same").glob("*.nii.gz"))[:6]
    read = []
    monkeypatch.setattr(
        images, "read_prepared", lambda path, job: read.append(path) or read_prepared(path, job)
    )
    compare_pairs([Pair(a, b, "diversity") for a in paths for b in paths if a < b], job, 1)
    assert sorted(read) == paths


def test_a_shelf_is_bounded(monkeypatch):
    monkeypatch.setattr(images, "SHELF_MB", 1e-3)
    shelf, made = Shelf(), []
    for number in (0, 1, 2, 2, 0):
        shelf.get(
            ("likeness", Path(str(number))),
            lambda n=number: made.append(n) or [local_moments(torch.rand(12, 12, 12))],
        )
    assert made == [0, 1, 2, 0]
    assert len(shelf.kept) == 2  # those of the pair at hand


def test_a_pair_that_cannot_be_compared_is_told(world, kept, tmp_path, caplog):
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"nothing")
    pair = Pair(world / "same" / "v100_T1w.nii.gz", broken, "likeness")
    assert compare_pairs([pair], Job(MEASURES, Cache(kept)), 1) == {pair: {}}
    assert "not compared" in caplog.text
