import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor

import fsspec
import pytest
import torch

from neuromf.latents.shard import Shard, StoreError, _read_into, _until_full, pack

TENSORS = {
    f"t{i}": torch.randn(4, 6, 5, 7, generator=torch.Generator().manual_seed(i)) for i in range(5)
}


@pytest.fixture
def path(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(pack(TENSORS))
    return tmp_path / "a.safetensors"


def test_what_is_packed_is_read(path):
    shard = Shard(str(path))
    for key in ("t3", "t0", "t4", "t0"):
        assert torch.equal(shard.read(key), TENSORS[key])
    shard.read("t1").zero_()  # a copy of its own
    assert torch.equal(shard.read("t1"), TENSORS["t1"])


@pytest.mark.parametrize("start", [0, 1, 4000])
def test_a_system_without_preadv_reads_the_same_bytes(path, monkeypatch, start):
    with path.open("rb") as stream:
        read = bytearray(3000)
        many = _read_into(stream.fileno(), memoryview(read), start)
        monkeypatch.delattr(os, "preadv")
        again = bytearray(3000)
        assert _read_into(stream.fileno(), memoryview(again), start) == many
        stream.seek(start)
        assert bytes(again) == bytes(read) == stream.read(3000).ljust(3000, b"\0")
        beyond = path.stat().st_size - 10
        assert _read_into(stream.fileno(), memoryview(bytearray(3000)), beyond) == 10
    assert torch.equal(Shard(str(path)).read("t3"), TENSORS["t3"])


def test_a_read_that_comes_in_pieces_goes_on():
    content, target = bytes(range(100)), bytearray(64)

    def read(rest, done):
        piece = content[done : done + 7][: len(rest)]
        rest[: len(piece)] = piece
        return len(piece)

    assert _until_full(read, memoryview(target)) == 64
    assert target == content[:64]


def test_other_programs_read_it(path):
    from safetensors.torch import load_file

    assert torch.equal(load_file(path)["t2"], TENSORS["t2"])


def test_through_fsspec(path):
    fs = fsspec.filesystem("memory")
    fs.pipe("/bucket/a.safetensors", path.read_bytes())
    assert torch.equal(Shard("memory://bucket/a.safetensors").read("t2"), TENSORS["t2"])


def test_threads_and_pickled_copies(path):
    shard = Shard(str(path))
    shard.read("t0")
    with ThreadPoolExecutor(8) as pool:
        keys = [f"t{i % 5}" for i in range(200)]
        for key, value in zip(keys, pool.map(shard.read, keys), strict=True):
            assert torch.equal(value, TENSORS[key])
    copy = pickle.loads(pickle.dumps(shard))
    assert torch.equal(copy.read("t4"), TENSORS["t4"])


def test_half_precision_comes_back_as_float32(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.arange(4).half()}, tmp_path / "a.safetensors")
    assert torch.equal(Shard(str(tmp_path / "a.safetensors")).read("a"), torch.arange(4.0))


@pytest.mark.parametrize("length", [0, 4, 60, 2000])
def test_truncated(path, length):
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(StoreError, match=r"a.safetensors (ends after|has)"):
        Shard(str(path)).read("t0")


def test_broken(path, tmp_path):
    with pytest.raises(StoreError, match="holds no 'x'"):
        Shard(str(path)).read("x")
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(StoreError, match="no safetensors file"):
        Shard(str(path)).read("t0")
    shutil.rmtree(tmp_path)
    with pytest.raises(StoreError, match="is missing"):
        Shard(str(path)).read("t0")
