import csv
import json

import numpy as np
import pytest

from neuromf.data.cohort import finish_cohort, read_cohort, read_cohorts, save_entry, saved_record
from neuromf.data.prepare import PrepareConfig, run
from neuromf.data.preprocess import Preprocessing
from neuromf.data.scan import Scan
from neuromf.data.splits import SplitConfig
from neuromf.data.volume import Volume
from support import egg, placed, save_nifti, tiny_cohort


def test_what_is_written_is_read(cohort):
    entries = read_cohort(cohort)
    assert [e.name for e in entries] == [f"s{i}" for i in range(8)]
    split = json.loads((cohort / "split.json").read_text())
    assert sorted(len(v) for v in split.values()) == [2, 2, 4]
    for entry in entries:
        assert entry.subject in split[entry.split]
        assert entry.read().voxels.shape == (24, 28, 24)
        assert entry.record["dataset"] == "tiny"
    with (cohort / "manifest.csv").open() as stream:
        assert {"name", "subject", "split", "sha256", "path"} <= set(next(csv.DictReader(stream)))
    assert (cohort / "contact.png").stat().st_size > 1000


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="holds no manifest.csv: give a folder that `neuromf prepare` wrote"
    ):
        read_cohort(tmp_path)
    (tmp_path / "manifest.csv").write_text("name,volume\na,a.nii.gz\n")
    with pytest.raises(ValueError, match="prepare the folder again"):
        read_cohort(tmp_path)


def test_a_copy_goes_where_its_parent_goes(tmp_path):
    """Deformed copies of a person count as that person: else the test set would be in the training set."""
    volume = Volume(np.eye(8, dtype=np.float32)[None].repeat(8, 0), placed())
    records = []
    for index in range(40):
        parent = f"p{index % 10}"
        records.append(
            save_entry(
                tmp_path,
                Scan("x", f"{parent}-copy{index}"),
                volume,
                {"parent": parent, "notes": []},
            )
        )
    finish_cohort(tmp_path, records, SplitConfig(0.2, 0.2))
    where = {}
    for entry in read_cohort(tmp_path):
        where.setdefault(entry.record["parent"], set()).add(entry.split)
    assert all(len(splits) == 1 for splits in where.values())
    assert {s for splits in where.values() for s in splits} == {"train", "val", "test"}


def test_sessions_of_a_person_stay_together(tmp_path):
    volume = Volume(np.eye(8, dtype=np.float32)[None].repeat(8, 0), placed())
    records = [
        save_entry(tmp_path, Scan("x", f"p{i % 6}", str(i)), volume, {"notes": []})
        for i in range(24)
    ]
    splits = finish_cohort(tmp_path, records, SplitConfig(0.3, 0.2))
    assert len(splits) == 6


def test_half_an_entry_is_made_again(tmp_path):
    folder = tiny_cohort(tmp_path, n=2)
    assert saved_record(folder, "s0")["name"] == "s0"
    (folder / "s0.nii.gz").unlink()
    assert saved_record(folder, "s0") is None
    (folder / "s1.json").write_text('{"name": "s')
    assert saved_record(folder, "s1") is None


def with_lesion(folder, size=3):
    """One volume and a cube of a lesion in it."""
    folder.mkdir(exist_ok=True)
    volume = Volume(np.eye(8, dtype=np.float32)[None].repeat(8, 0), placed())
    voxels = np.zeros((8, 8, 8), np.float32)
    voxels[:size, 2:4, 2:4] = 1
    lesion = Volume(voxels, volume.affine)
    return save_entry(folder, Scan("x", "s0"), volume, {"notes": []}, lesion), lesion


def test_a_lesion_mask_lies_beside_its_volume(tmp_path):
    record, lesion = with_lesion(tmp_path)
    assert (tmp_path / "s0_lesion.nii.gz").is_file()
    assert record["lesion_ml"] == pytest.approx(lesion.voxels.sum() * lesion.voxel_ml)
    other = save_entry(tmp_path, Scan("x", "s1"), lesion, {"notes": []})
    finish_cohort(tmp_path, [record, other], SplitConfig())
    one, two = read_cohort(tmp_path)
    assert np.array_equal(one.read_lesion().voxels, lesion.voxels)
    assert one.lesion_sha256 == record["lesion_sha256"]
    assert float(one.record["lesion_ml"]) == record["lesion_ml"]
    assert two.read_lesion() is None
    assert two.lesion_sha256 == ""


def test_without_lesions_a_manifest_has_no_column_of_them(cohort):
    assert "lesion" not in (cohort / "manifest.csv").read_text()
    assert read_cohort(cohort)[0].read_lesion() is None


@pytest.mark.parametrize("damage", ["missing", "another", "unknown"])
def test_a_damaged_lesion_mask_is_made_again(tmp_path, damage):
    record, _ = with_lesion(tmp_path)
    assert saved_record(tmp_path, "s0") == record
    path = tmp_path / "s0_lesion.nii.gz"
    if damage == "missing":
        path.unlink()
    elif damage == "another":
        with_lesion(tmp_path / "other", size=5)
        path.write_bytes((tmp_path / "other" / path.name).read_bytes())
    else:
        (tmp_path / "s0.json").write_text(json.dumps(record | {"lesion_sha256": 3}))
    assert saved_record(tmp_path, "s0") is None


def test_a_volume_prepared_again_without_lesions_keeps_no_mask(tmp_path):
    _, lesion = with_lesion(tmp_path)
    save_entry(tmp_path, Scan("x", "s0"), lesion, {"notes": []})
    assert not (tmp_path / "s0_lesion.nii.gz").exists()
    assert "lesion_sha256" not in saved_record(tmp_path, "s0")


def test_a_grown_cohort_keeps_its_split(tmp_path):
    folder = tiny_cohort(tmp_path, n=6)
    before = {e.subject: e.split for e in read_cohort(folder)}
    tiny_cohort(folder, n=12)
    after = {e.subject: e.split for e in read_cohort(folder)}
    assert {s: after[s] for s in before} == before
    assert len(after) == 12


def test_people_in_two_splits_are_refused(tmp_path):
    one, two = tiny_cohort(tmp_path / "one", n=2, val=0, test=0), tmp_path / "two"
    two.mkdir()
    volume = read_cohort(one)[0].read()
    copy = save_entry(
        two, Scan("x", "s0-copy"), volume, {"parent": "s0", "split": "val", "notes": []}
    )
    finish_cohort(two, [copy], SplitConfig())
    with pytest.raises(ValueError, match="s0 is in train .* and in val"):
        read_cohorts([str(one), str(two)])
    assert len(read_cohorts([str(one), str(one)])) == 2
    with pytest.raises(ValueError, match="volumes= is empty"):
        read_cohorts("")


def test_spellings_of_a_name_are_one_person(tmp_path, caplog):
    volume = Volume(np.eye(8, dtype=np.float32)[None].repeat(8, 0), placed())
    names = [f"{word}-{i}" for i in range(12) for word in ("sub", "Sub", "SUB")]
    records = [
        save_entry(tmp_path, Scan("x", n, f"{k}"), volume, {"notes": []})
        for k, n in enumerate(names)
    ]
    splits = finish_cohort(tmp_path, records, SplitConfig(0.3, 0.2))
    assert all(splits[f"sub-{i}"] == splits[f"Sub-{i}"] == splits[f"SUB-{i}"] for i in range(12))
    assert {e.subject for e in read_cohort(tmp_path)} == set(names)  # as the user spelled them
    assert "SUB-0, Sub-0, sub-0: taken for one person" in caplog.text
    copy = save_entry(tmp_path, Scan("x", "SUB-3-copy"), volume, {"parent": "SUB-3", "notes": []})
    grown = finish_cohort(tmp_path, [*records, copy], SplitConfig(0.3, 0.2))
    assert grown["SUB-3-copy"] == splits["sub-3"]


def test_a_person_in_two_splits_is_found_in_any_spelling(tmp_path):
    volume = Volume(np.eye(8, dtype=np.float32)[None].repeat(8, 0), placed())
    for folder, subject, split in (("one", "sub-1", "train"), ("two", "SUB-1", "val")):
        (tmp_path / folder).mkdir()
        record = save_entry(
            tmp_path / folder, Scan("x", subject, folder), volume, {"split": split, "notes": []}
        )
        finish_cohort(tmp_path / folder, [record], SplitConfig())
    with pytest.raises(ValueError, match="SUB-1 is in train .* and in val"):
        read_cohorts([str(tmp_path / "one"), str(tmp_path / "two")])


@pytest.mark.parametrize(
    "name", ["run", "split", "manifest", "config", "contact", "rejected", "__metadata__"]
)
def test_a_scan_may_have_the_name_of_one_of_our_files(tmp_path, name):
    save_nifti(tmp_path / f"{name}.nii.gz", egg(placed(spacing=(4.0, 4.0, 4.0))))
    out = tmp_path / "out"
    steps = Preprocessing(spacing=6.0, shape=(24, 28, 24))
    assert (
        run(
            PrepareConfig(input=str(tmp_path / f"{name}.nii.gz"), preprocessing=steps, workers=1),
            out,
        )
        == 0
    )
    (entry,) = read_cohort(out)
    assert entry.subject == name
    assert entry.name != "__metadata__"
    assert entry.sidecar()["subject"] == name
    assert json.loads((out / "run.json").read_text())["state"] == "finished"
    assert json.loads((out / "split.json").read_text())["train"] == [name]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "split.json is not what it should be"),
        ("[]", "split.json"),
        ('{"train": 3}', "split.json.*train"),
        ('{"val": [null]}', "split.json.*val"),
        ('{"train": [{"a": 1}]}', "split.json.*train"),
    ],
)
def test_a_damaged_split_moves_nobody(tmp_path, content, message):
    folder = tiny_cohort(tmp_path, n=2)
    (folder / "split.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        tiny_cohort(folder, n=3)


@pytest.mark.parametrize(
    "content", ["[]", "3", "null", "{", '{"name": 3}', '{"name": "s0", "notes": {}}', "[" * 100_000]
)
def test_an_edited_record_is_made_again(tmp_path, content):
    folder = tiny_cohort(tmp_path, n=1)
    (folder / "s0.json").write_text(content)
    assert saved_record(folder, "s0") is None
    if content[0] != "{" or content == "{":
        with pytest.raises(ValueError, match=r"s0.json.*prepare the folder again"):
            read_cohort(folder)[0].sidecar()


@pytest.mark.parametrize("seed", range(40))
def test_an_edited_manifest_is_read_or_refused(tmp_path, seed):
    folder = tiny_cohort(tmp_path, n=2)
    content = bytearray((folder / "manifest.csv").read_bytes())
    rng = np.random.default_rng(seed)
    for place in rng.integers(0, len(content), 3):
        content[place] = rng.choice(list(b'",\n\r\0\xff{a'))
    (folder / "manifest.csv").write_bytes(content)
    try:
        entries = read_cohort(folder)
    except ValueError as error:
        said = str(error)
    else:
        said = "manifest.csv"
        for entry in entries:
            assert entry.person
            assert {"dataset", "group", "age", "sex", "sha256"} <= set(entry.record)
    assert "manifest.csv" in said
