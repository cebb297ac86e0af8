"""One shard: a safetensors file, read tensor by tensor at byte offsets, here or through fsspec."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import fsspec
import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from neuromf.runtime import checksums
from neuromf.runtime.records import RecordError, as_record, parse_record

DTYPES: dict[str, Any] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "F64": np.dtype("<f8")}
LONGEST_HEADER = 100 * 2**20  # bytes, as the format says


@dataclass(frozen=True)
class Stored:
    """One tensor in a safetensors header."""

    dtype: Literal["F16", "F32", "F64"]
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]  # bytes, after the header

    def __post_init__(self) -> None:
        start, end = self.data_offsets
        size = math.prod(self.shape) * DTYPES[self.dtype].itemsize
        if min(self.shape, default=0) < 0 or start < 0 or end - start != size:
            raise ValueError(f"{self.dtype} of shape {list(self.shape)} at bytes {start} to {end}")


class StoreError(ValueError):
    """A latent store that cannot be read or does not fit; the message says which part,
    and what to do.
    """


class Shard:
    """Random access to the tensors of a safetensors file at a path or URL.

    Nothing stays open between reads, so threads and forked or spawned workers may read a shard at
    the same time, and a store may have any number of shards. The header is read when first needed.
    Raises StoreError for a truncated file or an unknown key.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._header: dict[str, Stored] | None = None
        self._start = 0
        self._fs, self._path = filesystem(url)
        self._local = "file" in (
            self._fs.protocol if isinstance(self._fs.protocol, tuple) else (self._fs.protocol,)
        )

    def read(self, key: str, crc32: int | None = None) -> Tensor:
        """Return a copy of one tensor.

        Raises StoreError if the CRC-32 of its bytes is not the one given.
        """
        header = self.header()
        if key not in header:
            raise StoreError(
                f"{self.url} holds no {key!r}: the index and the "
                "shard do not belong together, encode again"
            )

        entry = header[key]
        start = entry.data_offsets[0]
        values = np.empty(entry.shape, DTYPES[entry.dtype])
        content = memoryview(values.view(np.uint8).reshape(-1))  # type: ignore[arg-type]
        self._fill(content, self._start + start)
        if crc32 is not None and checksums.crc32(content) != crc32:
            raise StoreError(
                f"{self.url}: the bytes of {key!r} were "
                "changed since they were written: encode again"
            )

        return torch.from_numpy(values).float()

    def header(self) -> dict[str, Stored]:
        """Return each tensor's dtype, shape and byte range."""
        if self._header is None:
            length = int.from_bytes(self._bytes(0, 8), "little")
            if not 0 < length <= LONGEST_HEADER:
                raise StoreError(f"{self.url} is no safetensors file (header of {length} bytes)")
            text = self._bytes(8, length)
            try:
                found = parse_record(text, dict[str, dict[str, Any]], self.url)
                found.pop("__metadata__", None)
                header = {
                    key: as_record(e, Stored, f"{self.url}: {key!r}") for key, e in found.items()
                }
            except RecordError as error:
                raise StoreError(f"{error}: its header is broken, encode again") from None
            self._start = 8 + length
            expected = self._start + max((e.data_offsets[1] for e in header.values()), default=0)
            if self._size() != expected:
                raise StoreError(
                    f"{self.url} has {self._size()} bytes, its header announces {expected}: "
                    "fetch or encode it again"
                )
            self._header = header

        return self._header

    def _bytes(self, start: int, length: int) -> bytes:
        buffer = bytearray(length)
        self._fill(memoryview(buffer), start)
        return bytes(buffer)

    def _fill(self, target: memoryview, start: int) -> None:
        """Fill `target` with the file's bytes from `start`."""
        if self._local:
            try:
                file = os.open(self._path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            except FileNotFoundError:
                raise StoreError(
                    f"{self.url} is missing, though the index names it: encode again with --resume"
                ) from None
            try:
                done = _read_into(file, target, start)
            finally:
                os.close(file)
        else:
            part = self._fs.cat_file(self._path, start=start, end=start + len(target))
            done = len(part)
            target[:done] = part

        if done < len(target):
            raise StoreError(
                f"{self.url} ends after {start + done} bytes, {start + len(target)} are needed: "
                "fetch or encode it again"
            )

    def _size(self) -> int:
        return int(self._fs.size(self._path))


def filesystem(url: str) -> tuple[Any, str]:
    """Return the fsspec file system of a URL and the path in it. Raises StoreError if its
    driver is missing.
    """
    try:
        return fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise StoreError(f"{url}: {error}") from None


def read_file(url: str) -> bytes:
    """Return the bytes of a small file at a path or URL. Raises FileNotFoundError, or
    StoreError if reading fails.
    """
    system, path = filesystem(url)
    try:
        return bytes(system.cat_file(path))
    except FileNotFoundError:
        raise
    except Exception as error:  # every driver has errors of its own
        raise StoreError(f"{url} could not be read ({type(error).__name__}: {error})") from None


def _read_into(file: int, target: memoryview, start: int) -> int:
    """Fill `target` with a file's bytes from `start` and return how many there were."""
    if not hasattr(os, "preadv"):  # Windows, and macOS before 11
        with os.fdopen(file, "rb", buffering=0, closefd=False) as stream:
            stream.seek(start)
            return _until_full(lambda rest, _: stream.readinto(rest), target)
    return _until_full(lambda rest, done: os.preadv(file, [rest], start + done), target)


def _until_full(read: Callable[[memoryview, int], int], target: memoryview) -> int:
    """Call read(rest, done) until `target` is full or nothing more comes; return how much came."""
    done = 0
    while done < len(target):
        got = read(target[done:], done)
        if not got:
            break
        done += got
    return done


def pack(tensors: dict[str, Tensor]) -> bytes:
    """Return tensors as the bytes of a safetensors file."""
    return save({key: value.detach().float().cpu().contiguous() for key, value in tensors.items()})
