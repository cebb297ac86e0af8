"""Figure 3: real people and samples, or what is missing."""

import hashlib

from neuromf.paper.brains_figure import draw
from paper.support import cohort, drawn_samples, sources_of


def test_both_rows(tmp_path):
    folders = cohort(tmp_path / "v"), drawn_samples(tmp_path / "g")
    drawn = draw(sources_of(volumes=folders[0], samples=folders[1]))
    assert not drawn.missing
    assert [(r["series"], r["volume"]) for r in drawn.rows] == [
        ("real", "sub-2.nii.gz"),
        ("real", "sub-3.nii.gz"),
        ("generated", "sub-00000_desc-generated_FLAIR.nii.gz"),
        ("generated", "sub-00001_desc-generated_FLAIR.nii.gz"),
    ]
    sha = hashlib.sha256((folders[0] / "sub-2.nii.gz").read_bytes()).hexdigest()
    assert drawn.rows[0]["sha256"] == sha
    assert "2 real and 2 generated" in drawn.caption


def test_a_row_is_missing_alone(tmp_path):
    drawn = draw(sources_of(samples=drawn_samples(tmp_path / "g")))
    assert [m.part for m in drawn.missing] == ["Figure 3a"]
    assert {r["series"] for r in drawn.rows} == {"generated"}
    assert draw(sources_of()).caption.startswith("Middle sagittal, coronal and axial planes (no ")


def test_a_volume_that_is_gone(tmp_path):
    folder = cohort(tmp_path / "v")
    (folder / "sub-2.nii.gz").unlink()
    assert "lacks sub-2" in draw(sources_of(volumes=folder)).missing[0].why
