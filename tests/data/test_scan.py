import os

from data.support import touch
from neuromf.data.scan import Scan
from neuromf.data.scans import find_scans


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


def test_a_session_in_the_name_is_no_other_subject(tmp_path):
    table = tmp_path / "m.csv"
    table.write_text(
        "path,subject,session\n1.nii,p,1 2\n2.nii,p,1-2\n3.nii,p_ses-1#2,\n4.nii,P,1 2\n"
    )
    names = [s.name for s in find_scans([str(table)])]
    assert names[1] == "p_ses-1-2"
    assert len({name.casefold() for name in names[:3]}) == 3
    assert names[3].casefold() == names[0].casefold()  # the same person and session: a second scan
