import gzip
import os
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

from neuromf.data.reading import read_labels, read_volume
from neuromf.data.volume import Volume, VolumeError, stem, volume_sha256, write_volume
from support import AFFINES, REAL, egg, needs_real_data, placed

RAMP = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)


def nifti(tmp_path, name="a.nii.gz", voxels=RAMP, affine=None, sform=1, qform=0, change=None):
    image = nib.Nifti1Image(voxels, placed() if affine is None else affine)
    image.set_sform(image.affine, sform)
    image.set_qform(image.affine if qform else None, qform)
    if change:
        change(image.header)
    raw = image.to_bytes()
    path = tmp_path / name
    path.write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    return path


class TestRefusals:
    def refuse(self, path, message, **options):
        with pytest.raises(VolumeError, match=message) as caught:
            read_volume(path, **options)
        assert "\n" not in str(caught.value)

    def test_text_under_a_nifti_name(self, tmp_path):
        path = tmp_path / "a.nii.gz"
        path.write_text("this is no scan")
        self.refuse(path, "not compressed with gzip")

    def test_gzip_of_text(self, tmp_path):
        path = tmp_path / "a.nii.gz"
        path.write_bytes(gzip.compress(b"this is no scan" * 100))
        self.refuse(path, "no NIfTI header")

    @pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
    def test_truncated(self, tmp_path, name):
        path = nifti(tmp_path, name)
        path.write_bytes(path.read_bytes()[:-40])
        self.refuse(path, "announces|not readable")

    def test_empty_file(self, tmp_path):
        (tmp_path / "a.nii").write_bytes(b"")
        self.refuse(tmp_path / "a.nii", "no NIfTI header")

    @pytest.mark.parametrize(
        ("voxels", "message"),
        [
            (np.ones((4, 5, 6, 2), np.float32), "is 4D"),
            (np.ones((4, 5), np.float32), "single slice"),
            (np.ones((4, 5, 1), np.float32), "single slice"),
            (np.zeros((4, 5, 6), np.float32), "every voxel is 0"),
            (np.full((4, 5, 6), 7, np.int16), "every voxel is 7"),
            (np.full((4, 5, 6), np.nan, np.float32), "NaN or infinite"),
            (np.ones((4, 5, 6), np.complex64), "complex"),
            (np.zeros((4, 5, 6), [("R", "u1"), ("G", "u1"), ("B", "u1")]), "colours"),
        ],
    )
    def test_not_one_grey_volume(self, tmp_path, voxels, message):
        self.refuse(nifti(tmp_path, voxels=voxels), message)

    def test_zero_size(self, tmp_path):
        self.refuse(nifti(tmp_path, voxels=np.zeros((4, 0, 6), np.float32)), "no voxels|NIfTI")

    def test_huge_header(self, tmp_path):
        path = nifti(tmp_path, "a.nii")
        raw = bytearray(path.read_bytes())
        raw[42:48] = np.array([30000, 30000, 30000], "<i2").tobytes()
        path.write_bytes(raw)
        self.refuse(path, "announces 108000000000000 bytes")

    @pytest.mark.parametrize("value", [0.0, np.nan])
    def test_affine_that_places_nothing(self, tmp_path, value):
        path = nifti(tmp_path, "a.nii")
        raw = bytearray(path.read_bytes())
        raw[280:296] = np.full(4, value, "<f4").tobytes()  # srow_x
        path.write_bytes(raw)
        self.refuse(path, "places no volume")

    def test_metres(self, tmp_path):
        self.refuse(nifti(tmp_path, affine=placed(spacing=(0.001, 0.001, 0.001))), "another unit")

    def test_no_orientation_unless_it_is_given(self, tmp_path):
        path = nifti(tmp_path, sform=0)
        self.refuse(path, "neither qform nor sform.*assume_orientation=LAS")
        volume = read_volume(path, assume_orientation="LAS")
        assert nib.aff2axcodes(volume.affine) == ("L", "A", "S")
        assert any("taken as LAS" in note for note in volume.notes)
        middle = volume.affine @ np.append((np.array(RAMP.shape) - 1) / 2, 1)
        np.testing.assert_allclose(middle[:3], 0, atol=1e-6)

    def test_header_without_image(self, tmp_path):
        nib.save(nib.Nifti1Pair(RAMP, placed()), tmp_path / "a.img")
        (tmp_path / "a.img").unlink()
        self.refuse(tmp_path / "a.hdr", "a.img is missing")


class TestReading:
    @pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "float64", ">i2", ">f4"])
    @pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
    def test_types(self, tmp_path, dtype, name):
        np.testing.assert_array_equal(
            read_volume(nifti(tmp_path, name, RAMP.astype(dtype))).voxels, RAMP
        )

    def test_big_endian_header(self, tmp_path):
        image = nib.Nifti1Image(RAMP.astype(">f4"), placed(), nib.Nifti1Header(endianness=">"))
        (tmp_path / "a.nii").write_bytes(image.to_bytes())
        assert image.header.endianness == ">"
        np.testing.assert_array_equal(read_volume(tmp_path / "a.nii").voxels, RAMP)

    def test_slope_and_intercept(self, tmp_path):
        path = nifti(
            tmp_path, voxels=RAMP.astype(np.int16), change=lambda h: h.set_slope_inter(0.5, 3)
        )
        np.testing.assert_array_equal(read_volume(path).voxels, 0.5 * RAMP + 3)

    def test_other_containers(self, tmp_path):
        nib.save(nib.Nifti2Image(RAMP, placed()), tmp_path / "two.nii.gz")
        nib.save(nib.MGHImage(RAMP, placed()), tmp_path / "a.mgz")
        nib.save(nib.Nifti1Pair(RAMP, placed()), tmp_path / "pair.img")
        for name in ("two.nii.gz", "a.mgz", "pair.hdr"):
            volume = read_volume(tmp_path / name)
            np.testing.assert_array_equal(volume.voxels, RAMP)
            np.testing.assert_allclose(volume.affine, placed(), atol=1e-5)

    def test_trailing_singletons_and_odd_names(self, tmp_path):
        folder = tmp_path / "dossier été 2"
        folder.mkdir()
        path = nifti(folder, "früher 1.nii.gz", RAMP[..., None, None])
        assert read_volume(path).voxels.shape == RAMP.shape
        assert stem(path) == "früher 1"

    def test_nan_and_inf_become_the_smallest_value(self, tmp_path):
        spoilt = RAMP.copy() + 5
        spoilt[0, 0, 0], spoilt[1, 1, 1], spoilt[2, 2, 2] = np.nan, np.inf, -np.inf
        volume = read_volume(nifti(tmp_path, voxels=spoilt))
        assert volume.voxels[0, 0, 0] == volume.voxels[1, 1, 1] == volume.voxels[2, 2, 2] == 6
        assert "3 voxels were NaN or infinite" in volume.notes[0]

    def test_labels_may_all_be_equal(self, tmp_path):
        path = nifti(tmp_path, voxels=0 * RAMP)
        assert not read_labels(path).voxels.any()
        with pytest.raises(VolumeError, match="every voxel is 0: there is nothing to see"):
            read_volume(path)

    def test_disagreeing_forms_are_noted(self, tmp_path):
        path = nifti(tmp_path, qform=1)
        image = nib.load(path)
        moved = placed()
        moved[0, 3] += 9
        image.set_qform(moved, 1)
        nib.save(image, tmp_path / "b.nii.gz")
        volume = read_volume(tmp_path / "b.nii.gz")
        assert "differ by up to 9.0 mm" in volume.notes[0]
        np.testing.assert_allclose(volume.affine, placed(), atol=1e-5)


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_canonical_moves_no_voxel_in_space(affine):
    volume = egg(affine)
    canonical = volume.canonical()
    assert nib.aff2axcodes(canonical.affine) == ("R", "A", "S")
    rng = np.random.default_rng(0)
    for _ in range(20):
        at = [int(rng.integers(n)) for n in volume.voxels.shape]
        there = np.linalg.inv(canonical.affine) @ volume.affine @ [*at, 1]
        index = np.rint(there[:3]).astype(int)
        np.testing.assert_allclose(there[:3], index, atol=1e-6)
        assert canonical.voxels[tuple(index)] == volume.voxels[tuple(at)]


def test_written_volumes_come_back(tmp_path):
    voxels = np.random.default_rng(0).random((6, 7, 8), np.float32)
    path = tmp_path / "v.nii.gz"
    write_volume(path, Volume(voxels, placed(degrees=12)))
    again = read_volume(path)
    assert np.abs(again.voxels - voxels).max() < 7.7e-6
    np.testing.assert_allclose(again.affine, placed(degrees=12), atol=1e-5)
    first = volume_sha256(path)
    write_volume(path, Volume(voxels, placed(degrees=12)))
    assert volume_sha256(path) == first  # no time stamp in the gzip layer
    header = nib.load(path).header
    assert (int(header["sform_code"]), int(header["qform_code"]), header.get_xyzt_units()[0]) == (
        1,
        1,
        "mm",
    )
    assert [p.name for p in tmp_path.iterdir()] == ["v.nii.gz"]


def test_an_interrupted_write_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_volume(tmp_path / "missing" / "v.nii.gz", Volume(RAMP, placed()))
    assert list(tmp_path.iterdir()) == []


@needs_real_data
class TestOddFiles:
    REFUSED = (
        "nibabel_nifti1.hdr", "nibabel_analyze.hdr", "derived_not_gzip.nii.gz", "derived_truncated.nii.gz", "derived_truncated.nii",
        "niivue_rgb24.nii.gz", "derived_all_zero.nii.gz", "niivue_complex64.nii.gz", "niivue_minimal_noform.nii.gz",
        "nibabel_example4d.nii.gz", "nibabel_example_nifti2.nii.gz", "nibabel_functional.nii", "nibabel_test.mgz",
    )  # fmt: skip

    def test_each_is_read_or_refused(self):
        for path in sorted((REAL / "odd").iterdir()):
            if path.suffix == ".img":
                continue
            if path.name in self.REFUSED:
                with pytest.raises(VolumeError, match=path.name):
                    read_volume(path)
            else:
                voxels = read_volume(path).voxels
                assert np.isfinite(voxels).all()
                assert voxels.ndim == 3

    def test_five_orders_are_one_volume(self):
        first, *others = [
            read_volume(REAL / "odd" / f"niivue_{c}.nii.gz").canonical()
            for c in ("RAS", "LPI", "PSR", "AIL", "SAR")
        ]
        for other in others:
            np.testing.assert_array_equal(other.voxels, first.voxels)
            np.testing.assert_allclose(other.affine, first.affine, atol=1e-3)


PEAK = """
import resource, sys
from pathlib import Path
from neuromf.data.preprocess import Preprocessing, preprocess
from neuromf.data.reading import read_labels, read_volume
from neuromf.data.volume import VolumeError
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
try:
    volume = read_volume(Path(sys.argv[1]))
    if len(sys.argv) > 2:
        preprocess(volume, Preprocessing(2.0, (80, 96, 80), smallest_ml=0))
except VolumeError as error:
    print(error, file=sys.stderr)
print(peak() - before)
"""


def peak_mb(path, *more):
    """Megabytes that reading a file (and preparing it) takes beyond what was there before, and what was said."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(path), *more], capture_output=True, text=True, check=True
    )
    return float(done.stdout), done.stderr


class TestMemory:
    def test_a_long_thin_file(self, tmp_path):
        """Matrices of n x n samples took 14 GB for a file of 85 KB."""
        rng = np.random.default_rng(0)
        path = nifti(
            tmp_path,
            voxels=rng.integers(0, 4, (2, 2, 30000)).astype(np.int16) * 7,
            affine=np.diag([9, 9, 0.3, 1.0]),
        )
        mb, _ = peak_mb(path, "prepare")
        assert mb < 300

    @pytest.mark.parametrize("name", ["a.nii.gz", "a.mgz"])
    def test_a_gzip_bomb_is_not_inflated(self, tmp_path, name):
        kind = nib.MGHImage if name.endswith("mgz") else nib.Nifti1Image
        raw = kind(RAMP, placed()).to_bytes()
        path = tmp_path / name
        with gzip.open(path, "wb", compresslevel=1) as stream:
            stream.write(raw)
            for _ in range(150):
                stream.write(bytes(1 << 20))
        mb, said = peak_mb(path)
        assert mb < 60
        assert "the file holds more" in said

    def test_wide_types_are_never_whole(self, tmp_path):
        voxels = np.random.default_rng(0).integers(0, 9, (160, 160, 160)).astype(np.float64)
        path = nifti(tmp_path, "a.nii", voxels, change=lambda h: h.set_slope_inter(2.0, 1))
        mb, _ = peak_mb(path)
        assert mb < 4 * voxels.size * 4 / 2**20

    @pytest.mark.parametrize("shape", [(32767, 2, 32767), (1000, 1000, 1000)])
    def test_more_than_any_mri_has(self, tmp_path, shape):
        path = nifti(tmp_path, "a.nii")
        raw = bytearray(path.read_bytes())
        raw[42:48] = np.array(shape, "<i2").tobytes()
        path = tmp_path / "a.nii.gz"
        path.write_bytes(gzip.compress(raw))
        with pytest.raises(VolumeError, match="no MRI has as many"):
            read_volume(path)


class TestOddContents:
    def test_several_gzip_streams_and_padding(self, tmp_path):
        raw = nib.Nifti1Image(RAMP, placed()).to_bytes()
        (tmp_path / "a.nii.gz").write_bytes(
            gzip.compress(raw[:100]) + gzip.compress(raw[100:]) + bytes(512)
        )
        np.testing.assert_array_equal(read_volume(tmp_path / "a.nii.gz").voxels, RAMP)

    def test_a_few_bytes_after_the_voxels_are_let_pass(self, tmp_path):
        raw = nib.Nifti1Image(RAMP, placed()).to_bytes() + bytes(160)
        for name, content in (("a.nii.gz", gzip.compress(raw)), ("a.nii", raw)):
            (tmp_path / name).write_bytes(content)
            np.testing.assert_array_equal(read_volume(tmp_path / name).voxels, RAMP)

    def test_a_flipped_bit_is_noticed(self, tmp_path):
        path = nifti(tmp_path)
        content = bytearray(path.read_bytes())
        content[-6] ^= 1  # the checksum
        path.write_bytes(content)
        with pytest.raises(VolumeError, match="not readable"):
            read_volume(path)

    def test_too_large_is_not_nan(self, tmp_path):
        voxels = RAMP.astype(np.float64) + 1
        voxels[0, 0, 0] = 1e300
        volume = read_volume(nifti(tmp_path, voxels=voxels))
        assert volume.notes == (
            "1 voxels were too large for float32 (beyond 3.4e38): set to the smallest value",
        )
        with pytest.raises(VolumeError, match="every voxel is too large for float32"):
            read_volume(nifti(tmp_path, "b.nii", np.full((4, 5, 6), 1e300)))

    @pytest.mark.parametrize("value", [np.nan, np.inf, -5, 1e20])
    def test_where_the_voxels_begin(self, tmp_path, value):
        path = nifti(tmp_path, "a.nii")
        raw = bytearray(path.read_bytes())
        raw[108:112] = np.array([value], "<f4").tobytes()
        path.write_bytes(raw)
        with pytest.raises(VolumeError, match="the voxels begin at byte .*repair the header"):
            read_volume(path)

    @pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.mgz", "a.hdr"])
    def test_a_pipe_is_not_waited_for(self, tmp_path, name):
        os.mkfifo(tmp_path / name)
        if name == "a.hdr":
            (tmp_path / "a.img").write_bytes(b"")
        with pytest.raises(VolumeError, match="no regular file"):
            read_volume(tmp_path / name)
        with pytest.raises(VolumeError, match="no regular file"):
            volume_sha256(tmp_path / name)
