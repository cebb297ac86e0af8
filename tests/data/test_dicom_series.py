import re
import sys

import numpy as np
import pytest

from data.dicom_support import write_series
from neuromf.data.dicom_series import age_of, convert, read
from neuromf.data.volume import Volume
from support import placed, save_nifti

# a program whose word on stdout is Latin-1, and that makes nothing
NO_UTF8 = """#!{python}
import sys
sys.stdout.buffer.write("f\xfcr".encode("latin-1") + b": no DICOM")
"""


def test_the_program_is_found_where_its_package_puts_it(tmp_path, monkeypatch):
    """Without an activated environment its folder is not on the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    write_series(tmp_path / "dicom")
    assert len(convert(tmp_path / "dicom", tmp_path / "work")) == 1


def test_headers_of_a_converted_series(tmp_path):
    write_series(tmp_path / "dicom", PatientAge="007M", SeriesNumber=12)
    (found,) = convert(tmp_path / "dicom", tmp_path / "work")
    assert (found.patient, found.number, found.modality) == ("P1", 12, "MR")
    assert found.shape == (40, 44, 36)
    assert found.extent == (120.0, 132.0, 108.0)
    assert found.told == "12 T1 MPRAGE: 40 x 44 x 36, 3 x 3 x 3 mm"
    assert not found.problem
    write_series(tmp_path / "old", PatientAge="081Y")
    assert age_of(convert(tmp_path / "old", tmp_path / "work2")[0]) == "81"


def test_a_word_that_is_no_utf_8_ends_nothing(tmp_path):
    program = tmp_path / "dcm2niix"
    program.write_text(NO_UTF8.format(python=sys.executable))
    program.chmod(0o755)
    with pytest.raises(ValueError, match="made no volume of it: f\ufffdr: no DICOM"):
        convert(tmp_path, tmp_path / "work", str(program))


@pytest.mark.parametrize(
    ("content", "why"),
    [("{", r"4_1\.2\.json, .* is no JSON \("), ("[1]", "says nothing"), ("{}", "says nothing")],
)
def test_a_damaged_sidecar_is_the_problem_of_its_series(tmp_path, content, why):
    file = save_nifti(tmp_path / "4_1.2.nii.gz", Volume(np.ones((3, 4, 5), np.float32), placed()))
    (tmp_path / "4_1.2.json").write_text(content)
    found = read(file)
    assert (found.number, found.shape, found.about) == (4, (3, 4, 5), {})
    assert re.search(why, found.problem)
