"""What others published: every figure has a reference and the place where it was read."""

import dataclasses

import pytest
import yaml

from neuromf.paper.published import bibtex, published_path, read_published
from neuromf.runtime.records import RecordError

FIGURES = ("fid", "ssim", "ms_ssim")


def test_every_figure_has_a_place():
    found, cited = read_published()
    assert len(cited.sha256) == 64
    for model in found.models:
        assert model.where
        assert model.read
        assert model.not_found
        if model.fid is not None:
            assert "Table" in model.where
    assert {"MAISI", "MAISI-v2", "MOTFM", "Med-DDPM", "WDM", "BrLP"} == {
        model.name.partition(",")[0] for model in found.models
    }


def test_what_was_not_found_is_empty():
    """A name in not_found has no value, and a value is named in `where`."""
    for model in read_published()[0].models:
        for name in dataclasses.fields(model):
            said = model.not_found.split(":")[0].split(", ")
            if name.name.upper() in said or name.name in said:
                assert getattr(model, name.name) is None, (model.name, name.name)


def test_the_bibliography_has_every_reference():
    found, _ = read_published()
    text = bibtex(found.references)
    for key, reference in found.references.items():
        assert f"{{{key}," in text
        assert f"arXiv:{reference.arxiv}" in text
    assert r"Rav{\`i}" in text
    assert text.isascii()


def test_a_figure_without_its_reference_is_refused(tmp_path):
    record = yaml.safe_load(published_path().read_text(encoding="utf-8"))
    del record["references"]["zhao2026maisi"]
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(record))
    with pytest.raises(RecordError, match="zhao2026maisi"):
        read_published(tmp_path / "p.yaml")
    record = yaml.safe_load(published_path().read_text(encoding="utf-8"))
    record["curves"][0]["fid"] = [1.0]
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(record))
    with pytest.raises(RecordError, match="1 FID"):
        read_published(tmp_path / "p.yaml")
