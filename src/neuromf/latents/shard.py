"""One shard: a safetensors file, read tensor by tensor at byte offsets, here or through fsspec."""

from __future__ import annotations

import json
import os
from typing import Any

import fsspec
import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

DTYPES: dict[str, Any] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "F64": np.dtype("<f8")}
LONGEST_HEADER = 100 * 2**20  # bytes, as the format says


class StoreError(ValueError):
    """A latent store that cannot be read or does not fit; the message says which part and what to do."""


class Shard:
    """Random access to the tensors of a safetensors file at a path or URL.

    Nothing stays open between reads, so that threads, forked and spawned workers may read one shard at once, and a
    store may have any number of them. The header is read when first needed. Raises StoreError for a truncated file
    or an unknown key.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._header: dict[str, Any] | None = None
        self._start = 0
        self._fs, self._path = fsspec.core.url_to_fs(url)
        self._local = "file" in (self._fs.protocol if isinstance(self._fs.protocol, tuple) else (self._fs.protocol,))

    def read(self, key: str) -> Tensor:
        """Return one tensor, a copy of its own."""
        header = self.header()
        if key not in header:
            raise StoreError(
                f"{self.url} holds no {key!r}: the index and the shard do not belong together, encode again"
            )
        entry = header[key]
        start, end = entry["data_offsets"]
        shape: tuple[int, ...] = tuple(entry["shape"])
        values = np.empty(shape, DTYPES[entry["dtype"]])
        if values.nbytes != end - start:
            raise StoreError(f"{self.url}: {key!r} announces shape {entry['shape']} but {end - start} bytes")
        self._fill(memoryview(values.view(np.uint8).reshape(-1)), self._start + start)  # type: ignore[arg-type]
        return torch.from_numpy(values).float()

    def header(self) -> dict[str, Any]:
        """Return each tensor's dtype, shape and byte range."""
        if self._header is None:
            length = int.from_bytes(self._bytes(0, 8), "little")
            if not 0 < length <= LONGEST_HEADER:
                raise StoreError(f"{self.url} is no safetensors file (header of {length} bytes)")
            text = self._bytes(8, length)
            try:
                header = json.loads(text)
            except ValueError:
                raise StoreError(f"{self.url}: its header is broken; encode again") from None
            header.pop("__metadata__", None)
            self._start = 8 + length
            expected = self._start + max((e["data_offsets"][1] for e in header.values()), default=0)
            if self._size() != expected:
                raise StoreError(
                    f"{self.url} has {self._size()} bytes, its header announces {expected}: fetch or encode it again"
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
                file = os.open(self._path, os.O_RDONLY)
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
                f"{self.url} ends after {start + done} bytes, {start + len(target)} are needed: fetch or encode it "
                f"again"
            )

    def _size(self) -> int:
        return int(self._fs.size(self._path))


def _read_into(file: int, target: memoryview, start: int) -> int:
    """Fill `target` with a file's bytes from `start` and return how many there were."""
    done = 0
    while done < len(target):
        got = os.preadv(file, [target[done:]], start + done)
        if got == 0:
            break
        done += got
    return done


def pack(tensors: dict[str, Tensor]) -> bytes:
    """Return tensors as the bytes of a safetensors file."""
    return save({key: value.detach().float().cpu().contiguous() for key, value in tensors.items()})
