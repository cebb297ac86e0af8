"""Sets of volumes, their names, and the refusal of training people as reference."""

import os

import pytest

from features.support import blob, write_set
from neuromf.data.volume import VolumeError, volume_sha256, write_volume
from neuromf.evaluation.sets import (
    Item,
    VolumeSet,
    frame_of,
    of_people_in,
    one_a_person,
    read_set,
    read_sets,
    refuse_training,
    shortest_names,
    vae_named_by,
)
from neuromf.features.extract import Frame
from neuromf.generation.samples import lesion_path, sample_path
from support import tiny_cohort


def test_a_cohort_by_split(world):
    everything, test = (
        read_set(str(world / "real")),
        read_set(str(world / "real"), splits=("test",)),
    )
    assert len(everything) == 20
    assert {i.split for i in test.items} == {"test"}
    assert len(read_set(f"{world / 'real'}:train")) == sum(
        i.split == "train" for i in everything.items
    )
    assert read_set(f"{world / 'real'}:val").name == "real:val"
    with pytest.raises(ValueError, match="has no splits"):
        read_set(f"{world / 'same'}:test")
    with pytest.raises(FileNotFoundError):
        read_set(str(world / "nothing"))


def test_names_tell_folders_apart(world):
    assert shortest_names(["a/x", "b/x", "c/y"]) == ["a/x", "b/x", "c/y"]
    assert shortest_names(["a/x", "b/y"]) == ["x", "y"]
    assert [
        s.name for s in read_sets({"one": str(world / "same"), "five": str(world / "bright")})
    ] == ["one", "five"]
    assert [s.name for s in read_sets([str(world / "same"), str(world / "bright")])] == [
        "same",
        "bright",
    ]
    with pytest.raises(ValueError, match="sets= is empty"):
        read_sets([])
    with pytest.raises(ValueError, match=r"sets\.b names no folder"):
        read_sets({"a": str(world / "same"), "b": ""})


def test_generated_volumes_are_nobodys(tmp_path):
    folder = tmp_path / "sub-00001" / "anat"
    write_set(folder, [1])
    (folder / "v001_T1w.nii.gz").rename(folder / "sub-00001_desc-generated_T1w.nii.gz")
    (folder / "sub-00001_desc-generated_T1w.json").write_text(
        '{"VAE": "small-vae", "VAESha256": "ab"}'
    )
    found = read_set(str(tmp_path))
    assert found.items[0].person == ""
    assert vae_named_by(found) == ("small-vae", "ab")


def test_names_are_unique_and_people_counted_once(tmp_path):
    folder = write_set(tmp_path / "set", range(3))
    for number, name in enumerate(("sub-01_run-1_T1w", "sub-01_run-2_T1w", "sub-02_T1w")):
        (folder / f"v{number:03d}_T1w.nii.gz").rename(folder / f"{name}.nii.gz")
    found = read_set(str(folder), people=True)
    assert [i.name for i in found.items] == ["sub-01", "sub-01_run-2_T1w", "sub-02"]
    single, more = one_a_person(found)
    assert ([i.name for i in single.items], more) == (["sub-01", "sub-02"], 1)
    assert one_a_person(read_set(str(folder))) == (
        read_set(str(folder)),
        0,
    )  # of samples nobody is known
    with pytest.raises(ValueError, match="named twice"):
        read_sets([str(folder), str(folder)])


def test_lesion_masks_come_with_their_volumes(tmp_path):
    """Of a cohort those that its manifest names; of samples those beside them."""
    tiny_cohort(tmp_path / "cohort", n=2)
    manifest = tmp_path / "cohort" / "manifest.csv"
    assert [item.lesion for item in read_set(str(tmp_path / "cohort")).items] == [None, None]
    head, first, second = manifest.read_text().splitlines()
    rows = [f"{head},lesion_sha256,lesion_ml", f"{first},{'0' * 64},1.5", f"{second},,"]
    manifest.write_text("\n".join(rows) + "\n")
    one, other = read_set(str(tmp_path / "cohort")).items
    assert (one.lesion, other.lesion) == (one.path.with_name(f"{one.name}_lesion.nii.gz"), None)

    for index in range(2):
        path = sample_path(tmp_path / "samples", index, "FLAIR")
        path.parent.mkdir(parents=True)
        write_volume(path, blob(index))
    mask = lesion_path(tmp_path / "samples", 1)
    write_volume(mask, blob(0))
    items = read_set(str(tmp_path / "samples"), contrast="FLAIR").items
    assert [item.lesion for item in items] == [None, mask]


def test_frame(world):
    assert frame_of(read_set(str(world / "same"))) == Frame(
        (32, 36, 32), pytest.approx((6.0, 6.0, 6.0))
    )


def test_drawn_sets(world):
    whole = read_set(str(world / "same"))
    part = whole.drawn(5, seed=3)
    assert len(part) == 5
    assert part == whole.drawn(5, seed=3)
    assert part != whole.drawn(5, seed=4)
    assert whole.drawn(0, 0) is whole.drawn(99, 0) is whole
    assert [i for i in whole.items if i in part.items] == list(part.items)


def test_training_people_are_no_reference(tmp_path):
    held_out = VolumeSet(
        "r", (Item(tmp_path / "a", "a", "anna", "test"), Item(tmp_path / "b", "b", "bo"))
    )
    assert refuse_training(held_out, None, False) == []
    train = VolumeSet("t", (Item(tmp_path / "copy", "copy", "bo", "train"),))
    with pytest.raises(
        ValueError,
        match="1 of 2 volumes of the reference have subject names of training data \\(b first\\).*dataset=.*force=true",
    ):
        refuse_training(held_out, train, False)
    assert "It was forced" in refuse_training(held_out, train, True)[0]
    own = VolumeSet("r", (Item(tmp_path / "a", "a", "anna", "train"),))
    with pytest.raises(ValueError, match="training data"):
        refuse_training(own, None, False)
    same_file = VolumeSet("t", (Item(tmp_path / "a", "x"),))
    with pytest.raises(ValueError, match="training data"):
        refuse_training(held_out, same_file, False)


def test_equal_names_in_two_data_sets_are_two_people(tmp_path):
    """Where both name theirs, and the files differ."""

    def one(name, dataset, sha256="", split="test"):
        return VolumeSet(
            name, (Item(tmp_path / name, name, "sub-01", split, None, dataset, sha256),)
        )

    train = one("t", "OASIS", "ab", "train")
    assert refuse_training(one("r", "ADNI", "cd"), train, False) == []
    for same in (one("r", "oasis", "cd"), one("r", ""), one("r", "ADNI", "ab")):
        with pytest.raises(ValueError, match="training data"):
            refuse_training(same, train, False)
    assert of_people_in(train.items, one("r", "ADNI").items) == []
    assert of_people_in(train.items, one("r", "").items) == [train.items[0]]


def test_the_data_set_comes_from_the_manifest(tmp_path):
    items = read_set(str(tiny_cohort(tmp_path / "cohort", n=2))).items
    assert {item.dataset for item in items} == {"tiny"}
    assert [item.sha256 for item in items] == [volume_sha256(item.path) for item in items]


def test_pipes_are_not_opened(tmp_path):
    """Neither as the first volume of a set nor as a sample's sidecar."""
    (tmp_path / "a_T1w.nii.gz").write_bytes(b"")
    only = VolumeSet("set", (Item(tmp_path / "pipe_T1w.nii.gz", "pipe"),))
    os.mkfifo(tmp_path / "pipe_T1w.nii.gz")
    with pytest.raises(VolumeError, match="no regular file but a pipe"):
        frame_of(only)
    os.mkfifo(tmp_path / "a_T1w.json")
    assert vae_named_by(VolumeSet("set", (Item(tmp_path / "a_T1w.nii.gz", "a"),))) == ("", "")


def test_a_set_may_be_called_real(world):
    found = read_sets({"real": str(world / "same"), "b": str(world / "bright")})
    assert [s.name for s in found] == ["real (samples)", "b"]
