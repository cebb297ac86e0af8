"""The cache: what was kept comes back, a broken file counts as not there."""

import pytest
import torch

from neuromf.features.cache import Cache, CacheError, default_cache
from neuromf.features.extract import Job, measure_all

MEASURE, FILE = "a" * 64, "b" * 64


def test_round_trip(tmp_path):
    cache = Cache(tmp_path)
    assert not cache.has(MEASURE, FILE)
    values = {"axial": torch.randn(3, 5), "count": torch.tensor([2.0])}
    cache.write(MEASURE, FILE, values)
    assert cache.has(MEASURE, FILE)
    assert torch.equal(cache.read(MEASURE, FILE, "axial"), values["axial"])
    whole = cache.read_all(MEASURE, FILE)
    assert whole.keys() == values.keys()
    assert all(torch.equal(whole[key], value) for key, value in values.items())
    assert not cache.has("c" * 64, FILE)
    assert not cache.has(MEASURE, "c" * 64)


def test_a_broken_file_is_as_none(tmp_path):
    cache = Cache(tmp_path)
    cache.write(MEASURE, FILE, {"x": torch.zeros(100)})
    path = cache.path(MEASURE, FILE)
    path.write_bytes(path.read_bytes()[:60])
    assert not cache.has(MEASURE, FILE)
    with pytest.raises(FileNotFoundError):
        cache.read(MEASURE, "d" * 64, "x")


def test_home(monkeypatch, tmp_path):
    monkeypatch.setenv("NEUROMF_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "features"


def test_an_unwritable_folder_is_no_fault_of_a_volume(tmp_path, volumes):
    """It is named as what it is, before and while files are measured."""
    (tmp_path / "file").write_text("no folder")
    cache = Cache(tmp_path / "file" / "cache")
    with pytest.raises(
        CacheError, match=r"the cache of features in .*cannot be written.*cache=FOLDER"
    ):
        cache.check()
    with pytest.raises(CacheError, match="cannot be written"):
        measure_all(sorted(volumes.glob("*.nii.gz"))[:1], Job(("voxels",), cache))
    Cache(tmp_path / "new" / "cache").check()
    assert list((tmp_path / "new" / "cache").iterdir()) == []


def test_a_flipped_bit_is_as_none(tmp_path):
    cache = Cache(tmp_path)
    cache.write(MEASURE, FILE, {"x": torch.zeros(100), "y": torch.ones(3)})
    path = cache.path(MEASURE, FILE)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert not cache.has(MEASURE, FILE)
