import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np

from neuromf.data.scans import find_scans

SCRIPT = Path(__file__).parents[2] / "recipes" / "ixi.py"
SHEET = 'IXI_ID,"SEX_ID (1=m, 2=f)",AGE\n2,2,35.80\n12,1,38.78\n,,\n13,1,\n'


def call(*words):
    words = [sys.executable, SCRIPT, *words]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_scans_get_age_sex_and_hospital(tmp_path):
    for name in (
        "IXI002-Guys-0828-T1",
        "IXI012-HH-1211-T1",
        "IXI013-HH-1212-T1",
        "IXI002-Guys-0828-T2",
    ):
        nib.save(
            nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4)), tmp_path / f"{name}.nii.gz"
        )
    (tmp_path / "IXI.csv").write_text(SHEET)
    table = tmp_path / "ixi-scans.csv"
    done = call(tmp_path, table, tmp_path / "IXI.csv")
    assert done.returncode == 0, done.stderr
    assert "3 scans, age of 2 known" in done.stdout
    found = {s.subject: (s.dataset, s.age, s.sex) for s in find_scans([str(table)])}
    assert found == {
        "IXI002": ("Guys", "35.80", "F"),
        "IXI012": ("HH", "38.78", "M"),
        "IXI013": ("HH", "", "M"),
    }


def test_no_file_is_replaced(tmp_path):
    (tmp_path / "IXI012-HH-1211-T1.nii.gz").touch()
    (tmp_path / "IXI.csv").write_text(SHEET)
    done = call(tmp_path, tmp_path / "IXI.csv", tmp_path / "IXI.csv")
    assert done.returncode == 1
    assert "is there already" in done.stderr
    assert (tmp_path / "IXI.csv").read_text() == SHEET


def test_without_the_sheet_and_without_scans(tmp_path):
    assert call(tmp_path, tmp_path / "ixi.csv").returncode == 1
    assert not (tmp_path / "ixi.csv").exists()
    assert "saved as CSV" in call().stderr
