"""Decompress a gzip file only as far as needed: a few bytes may expand to gigabytes."""

from __future__ import annotations

from isal import isal_zlib


def inflate(compressed: bytes, limit: int) -> tuple[bytes, bool]:
    """Return at most `limit` bytes of a gzip file, and whether they are all.

    Raises EOFError if the file is truncated, isal_zlib.error if it is damaged.
    """
    parts: list[bytes] = []
    while compressed and limit > 0:
        stream = isal_zlib.decompressobj(wbits=31)
        parts.append(stream.decompress(compressed, limit))
        limit -= len(parts[-1])
        if not stream.eof and limit > 0:
            raise EOFError("the gzip stream breaks off: fetch it again")
        if not stream.eof:
            break
        compressed = stream.unused_data.lstrip(b"\0")  # a file may be several streams, or padded
    return parts[0] if len(parts) == 1 else b"".join(parts), not compressed
