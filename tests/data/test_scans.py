import json
import os

import pytest

from neuromf.data.scans import Scan, find_scans, read_manifest


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def test_names_give_subject_and_session(tmp_path):
    expected = {
        "sub-01_ses-2_T1w.nii.gz": ("sub-01", "2"),
        "ds1_sub-07_T1w_2mm.nii.gz": ("ds1_sub-07", ""),
        "IXI002-Guys-0828-T1.nii.gz": ("IXI002-Guys-0828", ""),
        "früher 3.nii": ("früher 3", ""),
        "a.mgz": ("a", ""),
        "T1w.nii": ("T1w", ""),
    }
    for name in expected:
        touch(tmp_path / name)
    assert {
        os.path.basename(s.path): (s.subject, s.session) for s in find_scans([str(tmp_path)])
    } == expected
    assert Scan("x", "früher 3", "a/b").name == "früher-3_ses-a-b"


def test_folder_file_glob_and_lists(tmp_path):
    for name in ("b.nii", "a.nii.gz", "deep/c.mgz", "notes.txt", ".hidden.nii", ".git/d.nii"):
        touch(tmp_path / name)
    names = lambda scans: [os.path.basename(s.path) for s in scans]
    assert names(find_scans([str(tmp_path)])) == ["a.nii.gz", "b.nii", "c.mgz"]
    assert names(find_scans([str(tmp_path / "b.nii")])) == ["b.nii"]
    assert names(find_scans([str(tmp_path / "*.nii*")])) == ["a.nii.gz", "b.nii"]
    assert names(find_scans([str(tmp_path / "**" / "*.mgz"), str(tmp_path / "b.nii")])) == [
        "c.mgz",
        "b.nii",
    ]


def test_symbolic_links_are_followed_once(tmp_path):
    touch(tmp_path / "real" / "a.nii")
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "in" / "sub" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "self.nii").symlink_to(tmp_path / "in" / "self.nii")
    found = find_scans([str(tmp_path / "in")])
    assert sorted(os.path.basename(s.path) for s in found) == ["a.nii", "self.nii"]


def test_manifest(tmp_path):
    table = tmp_path / "m.tsv"
    table.write_text(
        "\ufeffPath\tsubject\tMask\tage\tcolour\nscans/a.nii\tp1\tmasks/a.nii\t33\tred\n/abs/b.nii\t\t\t\t\n"
    )
    first, second = read_manifest(table)
    assert first == Scan(
        str(tmp_path / "scans/a.nii"), "p1", mask=str(tmp_path / "masks/a.nii"), age="33"
    )
    assert (second.path, second.subject) == ("/abs/b.nii", "b")


def test_manifest_without_paths(tmp_path):
    table = tmp_path / "m.csv"
    table.write_text("file,subject\na.nii,p1\n")
    with pytest.raises(ValueError, match="the columns are file, subject; `path` is needed"):
        find_scans([str(table)])


def test_bids(tmp_path):
    for name in (
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/anat/sub-01_T2w.nii.gz",
        "sub-02/ses-b/anat/sub-02_ses-b_run-1_T1w.nii",
        "derivatives/x/sub-01/anat/sub-01_T1w.nii.gz",
    ):
        touch(tmp_path / name)
    (tmp_path / "dataset_description.json").write_text(json.dumps({"Name": "Study"}))
    (tmp_path / "participants.tsv").write_text(
        "participant_id\tage\tsex\tgroup\nsub-01\t20\tF\tpatient\nsub-02\tn/a\tM\tcontrol\n"
    )
    one, two = find_scans([str(tmp_path)])
    assert (one.subject, one.dataset, one.group, one.age, one.sex) == (
        "sub-01",
        "Study",
        "patient",
        "20",
        "F",
    )
    assert (two.subject, two.session, two.age) == ("sub-02", "b", "")
    assert len(find_scans([str(tmp_path)], contrast="T2w")) == 1


def test_nothing_there(tmp_path):
    for source in (tmp_path, tmp_path / "no", tmp_path / "*.nii"):
        with pytest.raises(FileNotFoundError, match="no scan found|no such file"):
            find_scans([str(source)])


def test_other_contrasts_of_a_folder_are_left_out(tmp_path):
    for name in (
        "sub-01_FLAIR.nii.gz",
        "sub-01_T1w.nii.gz",
        "sub-02_T1w.nii.gz",
        "sub-03.nii.gz",
        "ds_sub-04_T1w_2mm.nii",
    ):
        touch(tmp_path / name)
    assert [s.subject for s in find_scans([str(tmp_path)])] == [
        "ds_sub-04",
        "sub-01",
        "sub-02",
        "sub-03",
    ]
    assert [os.path.basename(s.path) for s in find_scans([str(tmp_path)], "FLAIR")] == [
        "sub-01_FLAIR.nii.gz",
        "sub-03.nii.gz",
    ]
    with pytest.raises(FileNotFoundError, match=r"no T1w among 1 volumes \(t2\): contrast="):
        touch(tmp_path / "only" / "a_T2w.nii")
        find_scans([str(tmp_path / "only")])


def test_the_folder_names_the_subject_where_files_do_not(tmp_path):
    for name in ("anna/mri/orig.mgz", "bert/mri/orig.mgz", "bert/T1.nii"):
        touch(tmp_path / name)
    assert [s.subject for s in find_scans([str(tmp_path)])] == ["anna", "T1", "bert"]


def test_one_name_in_two_datasets_is_two_people(tmp_path):
    for dataset in ("A", "B"):
        touch(tmp_path / dataset / "sub-01" / "anat" / "sub-01_T1w.nii.gz")
        (tmp_path / dataset / "dataset_description.json").write_text(json.dumps({"Name": dataset}))
    touch(tmp_path / "B" / "sub-02" / "anat" / "sub-02_T1w.nii.gz")
    found = find_scans([str(tmp_path / "A"), str(tmp_path / "B")])
    assert [s.subject for s in found] == ["A_sub-01", "B_sub-01", "sub-02"]


def test_what_we_wrote_is_no_input(tmp_path):
    touch(tmp_path / "a.nii")
    for name in ("run.json", "config.yaml", "b.nii.gz"):
        touch(tmp_path / "out" / name)
    assert [s.subject for s in find_scans([str(tmp_path)])] == ["a"]


def test_a_table_in_another_encoding(tmp_path):
    (tmp_path / "m.csv").write_bytes("path,subject\na.nii,M\xfcller\n".encode("latin-1"))
    with pytest.raises(ValueError, match="m.csv: is not UTF-8"):
        find_scans([str(tmp_path / "m.csv")])


def test_different_subjects_keep_different_names(tmp_path):
    subjects = ["a b", "a#b", "a-b", "a@b"]
    for subject in subjects:
        touch(tmp_path / f"{subject}.nii")
    found = find_scans([str(tmp_path)])
    assert sorted(s.subject for s in found) == sorted(subjects)
    names = {s.subject: s.name for s in found}
    assert names["a-b"] == "a-b"
    assert len(set(names.values())) == 4
    assert all(name.startswith("a-b") for name in names.values())
    assert names == {s.subject: s.name for s in reversed(find_scans([str(tmp_path)]))}
    assert [s.name for s in find_scans([str(tmp_path / "a b.nii")])] == [
        "a-b"
    ]  # alone, it needs no label


def test_a_session_in_the_name_is_no_other_subject(tmp_path):
    table = tmp_path / "m.csv"
    table.write_text(
        "path,subject,session\n1.nii,p,1 2\n2.nii,p,1-2\n3.nii,p_ses-1#2,\n4.nii,P,1 2\n"
    )
    names = [s.name for s in find_scans([str(table)])]
    assert names[1] == "p_ses-1-2"
    assert len({name.casefold() for name in names[:3]}) == 3
    assert names[3].casefold() == names[0].casefold()  # the same person and session: a second scan


@pytest.mark.parametrize("name", ["run", "Split", "__metadata__", ".hidden", "..", "x" * 300])
def test_names_that_mean_something_are_changed(tmp_path, name):
    table = tmp_path / "m.csv"
    table.write_text(f"path,subject\n1.nii,{name}\n")
    (scan,) = find_scans([str(table)])
    assert scan.subject == name
    assert scan.name.casefold() not in {"run", "split", "__metadata__"}
    assert not scan.name.startswith(".")
    assert len(scan.name) < 200


def test_one_name_in_other_capitals_is_still_told_apart_by_its_dataset(tmp_path):
    table = tmp_path / "m.csv"
    table.write_text("path,subject,dataset\n1.nii,sub-01,A\n2.nii,SUB-01,B\n")
    assert [s.subject for s in find_scans([str(table)])] == ["A_sub-01", "B_SUB-01"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b'path,subject\na.nii,"' + b"x" * 140_000 + b'"\n',
            r"m.csv, line \d: not readable as a table \(field larger",
        ),
        (b"path,subject\na.nii,p\0q\n", "m.csv: holds NUL bytes"),
        ("path,subject\na.nii,p\n".encode("utf-16"), "m.csv: is not UTF-8"),
        (b"", "the columns are none"),
    ],
    ids=["a long field", "NUL", "UTF-16", "empty"],
)
def test_tables_that_are_none(tmp_path, content, message):
    (tmp_path / "m.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        find_scans([str(tmp_path / "m.csv")])


@pytest.mark.parametrize("content", ["{", "[1]", "3", '{"Name": null}', "[" * 100_000])
def test_a_description_that_describes_nothing(tmp_path, content):
    touch(tmp_path / "study" / "sub-01" / "anat" / "sub-01_T1w.nii.gz")
    (tmp_path / "study" / "dataset_description.json").write_text(content)
    assert [s.dataset for s in find_scans([str(tmp_path / "study")])] == ["study"]


@pytest.mark.parametrize(
    "content",
    [
        "age\n3\n",
        "participant_id\tage\nsub-01\nsub-02\t3\t4\t5\n\n\tx\n",
        "",
        "participant_id\tage\nsub-01\t\n",
    ],
)
def test_odd_tables_of_participants(tmp_path, content):
    touch(tmp_path / "sub-01" / "anat" / "sub-01_T1w.nii.gz")
    (tmp_path / "participants.tsv").write_text(content)
    assert [s.age for s in find_scans([str(tmp_path)])] == [""]
