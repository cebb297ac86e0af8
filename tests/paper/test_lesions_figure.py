"""Figure 7: pairs that have a lesion, in the plane with most of it."""

import numpy as np

from neuromf.paper.lesions_figure import draw, fullest_plane
from paper.support import drawn_samples, sources_of


def test_pairs_with_a_lesion(tmp_path):
    folder = drawn_samples(tmp_path / "g", 3, lesions=(2, 0, 4))
    drawn = draw(sources_of(pairs=folder))
    assert not drawn.missing
    assert [r["volume"][:9] for r in drawn.rows] == ["sub-00000", "sub-00002"]
    assert {r["plane"] for r in drawn.rows} == {9}
    assert all(len(r["mask_sha256"]) == 64 for r in drawn.rows)
    assert "first 2 of the 2 that have a lesion, of 3 pairs" in drawn.caption
    assert "FLAIR image" in drawn.caption


def test_the_plane_is_seen_from_above(tmp_path):
    folder = drawn_samples(tmp_path / "g", 1, lesions=(2,))
    (_, mask), z = fullest_plane(*sorted(folder.rglob("*.nii.gz")))
    assert z == 9
    rows, columns = np.nonzero(mask)
    assert {int(c) for c in columns} == {4, 5}  # left to right
    assert {int(r) for r in rows} == {20 - 1 - y for y in (5, 6, 7)}  # anterior up


def test_gaps_are_said(tmp_path):
    assert draw(sources_of()).missing[0].text.startswith("not run: neuromf generate")
    empty = drawn_samples(tmp_path / "e", 2, lesions=(0, 0))
    assert "none of the 2 pairs has a lesion" in draw(sources_of(pairs=empty)).missing[0].why
    alone = drawn_samples(tmp_path / "a", 2)
    assert "has no lesion mask beside it" in draw(sources_of(pairs=alone)).missing[0].why
