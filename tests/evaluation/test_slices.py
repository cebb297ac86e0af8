"""Slices read back as they were taken."""

import numpy as np
import pytest

from neuromf.data.reading import picture
from neuromf.evaluation.results import ClosePair, CopiesRecord
from neuromf.evaluation.slices import of_pair, of_volume, read_slices, take_slices, write_slices
from neuromf.runtime.records import RecordError


def test_slices_read_back(world, tmp_path):
    paths = sorted((world / "same").glob("*.nii.gz"))
    pair = ClosePair(str(paths[3]), str(paths[8]), ("a", "b"), 0.1)
    copies = {"a/b": [CopiesRecord("3d:x/y", 0.1, (pair,), (0.1,), (0.2,))]}
    found = take_slices({"real": paths, "a/b": paths[:2]}, copies)
    assert len(found) == 6 + 2 + 2
    write_slices(tmp_path / "slices.safetensors", found)
    again = read_slices(tmp_path / "slices.safetensors")
    assert again.keys() == found.keys()
    assert all((again[name] == found[name]).all() for name in found)
    assert again[of_volume("real", 0)].dtype == np.uint8
    sample, training = of_pair("a/b", "3d:x/y", 0)
    assert (again[sample] == picture(paths[3])).all()
    assert (again[training] == picture(paths[8])).all()


def test_another_file_is_refused_in_words(tmp_path):
    (tmp_path / "slices.safetensors").write_bytes(b"no")
    with pytest.raises(RecordError, match=r"slices.safetensors is no safetensors.*again"):
        read_slices(tmp_path / "slices.safetensors")
