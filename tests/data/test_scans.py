import json
import os

import pytest

from data.support import touch
from neuromf.data.scan import Scan
from neuromf.data.scans import find_scans, read_manifest


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


def test_a_table_may_name_lesion_masks(tmp_path):
    table = tmp_path / "m.csv"
    table.write_text("path,lesion\na.nii,masks/a.nii\nb.nii,\n")
    first, second = read_manifest(table)
    assert first == Scan(str(tmp_path / "a.nii"), "a", lesion=str(tmp_path / "masks/a.nii"))
    assert second.lesion == ""


def test_a_tables_images_may_be_in_columns_of_contrasts(tmp_path, caplog):
    table = tmp_path / "m.csv"
    table.write_text("subject,FLAIR,T1w,lesion\na,a_f.nii,a_t.nii,a_l.nii\nb,n/a,b_t.nii,n/a\n")
    (one,) = read_manifest(table, "FLAIR")
    assert one == Scan(
        str(tmp_path / "a_f.nii"), "a", contrast="FLAIR", lesion=str(tmp_path / "a_l.nii")
    )
    assert "left out, without FLAIR: 1" in caplog.text
    assert [os.path.basename(s.path) for s in find_scans([str(table)])] == ["a_t.nii", "b_t.nii"]
    assert find_scans([str(table)])[1].lesion == ""
    with pytest.raises(ValueError, match="contrast=T2w is not among its images, flair, t1w"):
        read_manifest(table, "T2w")
    table.write_text("t1,mask\na.nii,m.nii\n")
    assert read_manifest(table, "T1w")[0].mask == str(tmp_path / "m.nii")


def test_a_path_goes_before_columns_of_contrasts(tmp_path):
    table = tmp_path / "m.csv"
    table.write_text("path,T1w\na.nii,b.nii\n")
    assert read_manifest(table, "T1w") == [Scan(str(tmp_path / "a.nii"), "a")]


def test_no_scan_has_the_name_of_anothers_lesion_mask(tmp_path):
    table = tmp_path / "m.csv"
    table.write_text("path,subject\na.nii,s1\nb.nii,s1_lesion\nc.nii,S2_Lesion\n")
    names = [s.name for s in find_scans([str(table)])]
    assert names[0] == "s1"
    assert not any(name.casefold().endswith("_lesion") for name in names)


def test_manifest_without_paths(tmp_path):
    table = tmp_path / "m.csv"
    table.write_text("file,subject\na.nii,p1\n")
    with pytest.raises(ValueError, match="the columns are file, subject; `path` is needed"):
        find_scans([str(table)])


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


def file_names(scans):
    return [os.path.basename(scan.path) for scan in scans]


def test_label_maps_are_found_by_their_names_where_they_are_wanted(tmp_path):
    for name in (
        "sub-01_dseg.nii.gz",
        "sub-01_T1w.nii.gz",
        "sub-01_desc-brain_mask.nii.gz",
        "sub-02_T1w_seg.nii.gz",
        "sub-03.nii.gz",
    ):
        touch(tmp_path / name)
    found = find_scans([str(tmp_path)], label_maps=True)
    assert file_names(found) == ["sub-01_dseg.nii.gz", "sub-02_T1w_seg.nii.gz", "sub-03.nii.gz"]
    assert [s.subject for s in found] == ["sub-01", "sub-02", "sub-03"]
    assert file_names(find_scans([str(tmp_path)])) == ["sub-01_T1w.nii.gz", "sub-03.nii.gz"]


def test_label_maps_may_have_any_name_but_that_of_a_mask(tmp_path):
    touch(tmp_path / "a" / "sub-01_T1w.nii.gz")  # whoever says that it is a label map is believed
    assert file_names(find_scans([str(tmp_path / "a")], label_maps=True)) == ["sub-01_T1w.nii.gz"]
    touch(tmp_path / "b" / "sub-01_mask.nii.gz")
    with pytest.raises(FileNotFoundError, match=r"no label map among 1 volumes \(mask\): their na"):
        find_scans([str(tmp_path / "b")], label_maps=True)


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
