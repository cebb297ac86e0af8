import nibabel as nib
import numpy as np
import pytest

from neuromf.data.orientation import header_affine, largest_gap
from neuromf.data.volume import VolumeError
from support import placed


def header(affine, sform=1, qform=0):
    image = nib.Nifti1Image(np.zeros((4, 5, 6), np.float32), affine)
    image.set_sform(affine, sform)
    image.set_qform(affine, qform)
    return image


def test_a_gap_is_that_of_the_farthest_corner():
    shifted, larger = placed(), placed()
    shifted[0, 3] += 3
    larger[1, 1] *= 2
    assert largest_gap(placed(), shifted, (4, 5, 6)) == pytest.approx(3)
    assert largest_gap(placed(), larger, (4, 5, 6)) == pytest.approx(5 * placed()[1, 1])


def test_an_affine_is_read_or_assumed_or_refused(tmp_path):
    notes = []
    affine = placed()
    np.testing.assert_allclose(
        header_affine(tmp_path, header(affine), (4, 5, 6), "", notes), affine
    )
    assert notes == []
    bare = header(affine, sform=0)
    assert nib.aff2axcodes(header_affine(tmp_path, bare, (4, 5, 6), "LPS", notes)) == tuple("LPS")
    assert notes == ["neither qform nor sform: taken as LPS"]
    with pytest.raises(VolumeError, match="has neither qform nor sform"):
        header_affine(tmp_path, bare, (4, 5, 6), "", notes)
