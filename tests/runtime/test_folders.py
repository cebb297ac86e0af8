import os

import pytest

from neuromf.runtime import folders
from neuromf.runtime.folders import Output


def test_patterns_name_what_a_verb_writes():
    output = Output("x", ("*.nii.gz", "sub-*/anat/*", "deep/**"))
    ours = (
        "a.nii.gz",
        "sub-1/anat/b.json",
        "deep/a",
        "deep/a/b/c",
        "run.json",
        "config.yaml",
        "sub-1/.DS_Store",
    )
    theirs = (
        "a.nii",
        "in/a.nii.gz",
        "sub-1/b.json",
        "sub-1/anat/c/d",
        "deep",
        "in/run.json",
        ".a.tmp.txt",
    )
    assert all(map(output.writes, ours))
    assert not any(map(output.writes, theirs))


@pytest.mark.parametrize(
    ("out", "how"),
    [
        ("scans", "is the input"),
        ("scans/deep/out", "lies in"),
        (".", "holds"),
        ("link", "is the input"),
        ("link/new", "lies in"),
    ],
)
def test_out_is_never_an_input(tmp_path, out, how):
    (tmp_path / "scans" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "scans")
    for inputs in (
        [str(tmp_path / "scans")],
        [["", str(tmp_path / "scans")]],
        [{"a": str(tmp_path / "link")}],
    ):
        with pytest.raises(FileExistsError, match=how):
            folders.refuse_inputs(tmp_path / out, inputs, overwrite=True)


def test_out_may_lie_beside_its_input_or_among_derivatives(tmp_path):
    (tmp_path / "scans").mkdir()
    inputs = [
        str(tmp_path / "scans"),
        "s3://bucket/latents",
        "embedded",
        "",
        None,
        "x" * 5000,
        "a/*.nii",
    ]
    for out in ("out", "scans-2", "scans/derivatives/neuromf"):
        folders.refuse_inputs(tmp_path / out, inputs, overwrite=True)
    folders.refuse_inputs(
        tmp_path / "scans" / "out", inputs
    )  # `cd scans; neuromf prepare input=. out=out`
    with pytest.raises(FileExistsError, match="lies in"):
        folders.refuse_inputs(
            tmp_path / "scans" / "out", [f"{tmp_path / 'scans'}:train"], overwrite=True
        )


def test_temporary_names_cannot_be_foretold_and_are_short_enough(tmp_path):
    path = tmp_path / f"{'n' * 240}.nii.gz"
    names = {folders.temporary_name(path) for _ in range(50)}
    assert len(names) == 50
    for name in names:
        assert name.suffix == ".gz"
        assert folders.TEMPORARY.match(name.name)
        name.touch()


def test_without_a_home_the_error_says_what_to_set(monkeypatch):
    def none(_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("NEUROMF_HOME", raising=False)
    monkeypatch.setattr("pathlib.Path.expanduser", none)
    with pytest.raises(ValueError, match="set NEUROMF_HOME"):
        folders.cache_home()
    with pytest.raises(ValueError, match="give a full path"):
        folders.local_path("~/scans")


def test_links_are_listed_and_not_followed(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "scan").touch()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path / "data")
    assert folders.foreign_files(tmp_path / "out", Output("x", ())) == ["link"]
    os.rename(tmp_path / "out" / "link", tmp_path / "out" / "a.txt")
    assert folders.foreign_files(tmp_path / "out", Output("x", ("*.txt",))) == []
