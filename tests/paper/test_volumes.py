"""Which volumes are shown."""

import pytest

from neuromf.paper.missing import MissingError
from neuromf.paper.volumes import generated, held_out
from paper.support import cohort, drawn_samples, record, sources_of


def test_held_out_people_come_first_by_test(tmp_path):
    given = sources_of(volumes=cohort(tmp_path / "v")).one("volumes")
    assert [e.name for e in held_out(given, (), 3)] == ["sub-2", "sub-3", "sub-1"]
    assert [e.name for e in held_out(given, ("sub-0",), 3)] == ["sub-0"]


def test_nobody_held_out_and_unknown_names_are_missing(tmp_path):
    given = sources_of(volumes=cohort(tmp_path / "v", ("train",))).one("volumes")
    with pytest.raises(MissingError, match="holds nobody out"):
        held_out(given, (), 2)
    with pytest.raises(MissingError, match="no volume bert"):
        held_out(given, ("bert",), 2)
    with pytest.raises(MissingError, match=r"no manifest\.csv"):
        held_out(sources_of(volumes=tmp_path).one("volumes"), (), 2)


def test_generated_volumes_without_their_masks(tmp_path):
    given = sources_of(pairs=drawn_samples(tmp_path / "g", 2, lesions=(1, 0))).one("pairs")
    assert [path.name for path in generated(given)] == [
        f"sub-0000{i}_desc-generated_FLAIR.nii.gz" for i in (0, 1)
    ]
    record(given.path, "generate", "interrupted")
    with pytest.raises(MissingError, match="not finished"):
        generated(given)
    with pytest.raises(MissingError, match="holds no generated volume"):
        generated(sources_of(samples=record(tmp_path / "h", "generate")).one("samples"))
