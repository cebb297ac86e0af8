import pytest

from neuromf.data.own_files import refuse_replacing
from neuromf.data.volume import VolumeError, volume_sha256
from neuromf.runtime.files import write_bytes, write_json
from neuromf.runtime.folders import Output, noting, written_down

OUTPUT = Output("prepare", ("*.nii.gz", "*.json"))


@pytest.fixture
def run(tmp_path):
    with noting(tmp_path, OUTPUT):
        yield tmp_path


def test_what_a_run_wrote_it_may_replace(run):
    """Whole, half or changed, with a record or without: it is in files.txt."""
    volume, record = run / "s.nii.gz", run / "s.json"
    refuse_replacing(record, [volume])
    assert written_down(run) == set()
    write_bytes(volume, b"voxels")
    assert written_down(run) == {"s.nii.gz"}
    refuse_replacing(record, [volume])
    write_json(record, {"sha256": "0" * 64})
    volume.write_bytes(b"vox")
    record.write_text("{")
    refuse_replacing(record, [volume])


def test_what_nobody_wrote_down_is_somebodys_own(run):
    volume, record = run / "s.nii.gz", run / "s.json"
    volume.write_bytes(b"a drawing")
    with pytest.raises(VolumeError, match=r"s\.nii\.gz: was not written by neuromf, .*--resume"):
        refuse_replacing(record, [volume])
    refuse_replacing(record, [])  # it is not to be written
    record.write_text("{}")
    with pytest.raises(VolumeError, match=r"s\.json: was not written"):
        refuse_replacing(record, [])
    assert volume.read_bytes() == b"a drawing"


def test_a_volume_that_its_record_names_may_be_replaced(run):
    volume, record = run / "s.nii.gz", run / "s.json"
    volume.write_bytes(b"from another folder")
    record.write_text(f'{{"sha256": "{volume_sha256(volume)}"}}')
    refuse_replacing(record, [volume])
    volume.write_bytes(b"of a user")
    with pytest.raises(VolumeError, match=r"s\.nii\.gz: was not written"):
        refuse_replacing(record, [volume])


def test_outside_of_a_run_nothing_is_refused(tmp_path):
    (tmp_path / "s.nii.gz").write_bytes(b"a drawing")
    refuse_replacing(tmp_path / "s.json", [tmp_path / "s.nii.gz"])
