"""The cache of measurements: one safetensors file per file and measure, named by the
hashes of both.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from neuromf.runtime.checksums import tensor_crc32
from neuromf.runtime.files import write_bytes
from neuromf.runtime.folders import cache_home


class CacheError(OSError):
    """The folder of measurements cannot be written."""


@dataclass(frozen=True)
class Cache:
    """A folder of measurements; a changed file, or other weights, have another name in it."""

    folder: Path

    def path(self, measure: str, file: str) -> Path:
        """Return where a measurement lies, by the SHA-256 of the measure and of the file."""
        return self.folder / measure[:16] / file[:2] / f"{file}.safetensors"

    def has(self, measure: str, file: str) -> bool:
        """Return True if a measurement is there, readable, and unchanged."""
        try:
            with safe_open(self.path(measure, file), framework="pt") as stored:
                known = stored.metadata() or {}  # earlier versions wrote no checksums
                keys = list(stored.keys())
                return bool(keys) and all(
                    known.get(key) in {None, str(tensor_crc32(stored.get_tensor(key)))}
                    for key in keys
                )
        except (OSError, SafetensorError):
            return False

    def read(self, measure: str, file: str, key: str) -> Tensor:
        """Return one tensor of a measurement. Raises FileNotFoundError if it was not taken."""
        with safe_open(self.path(measure, file), framework="pt") as stored:
            return stored.get_tensor(key)

    def read_all(self, measure: str, file: str) -> dict[str, Tensor]:
        """Return all tensors of a measurement. Raises FileNotFoundError if it was not taken."""
        return load(self.path(measure, file).read_bytes())

    def write(self, measure: str, file: str, values: dict[str, Tensor]) -> None:
        """Keep a measurement, written atomically. Raises CacheError if the folder
        cannot be written.
        """
        path = self.path(measure, file)
        tensors = {k: v.contiguous() for k, v in values.items()}
        content = save(tensors, {k: str(tensor_crc32(v)) for k, v in tensors.items()})
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, content)
        except OSError as error:
            raise self._unwritable(error) from None

    def check(self) -> None:
        """Raise CacheError if the folder cannot be made or written: before an hour of
        work, not after.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> CacheError:
        return CacheError(
            f"the cache of features in {self.folder} cannot be written "
            f"({error.strerror or error}): cache=FOLDER names another, "
            "$NEUROMF_HOME the place of all that is kept"
        )


def default_cache() -> Path:
    """Return the default folder of measurements: $NEUROMF_HOME/features, or
    ~/.cache/neuromf/features.
    """
    return cache_home() / "features"
