from data.dicom_support import write_series
from neuromf.data.dicom_series import age_of, convert


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
