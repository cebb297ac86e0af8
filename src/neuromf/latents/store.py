"""The latent store: shards of latents and index.json, which says what each is of and which VAE made it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import fsspec
from torch import Tensor

from neuromf.latents.shard import Shard, StoreError, pack
from neuromf.run import write_bytes, write_json

INDEX = "index.json"
FORMAT = 1
STORE_FILES = ("shard-*.safetensors", "shard-*.json", INDEX, "stats.json", "rejected.csv")


@dataclass(frozen=True)
class LatentEntry:
    """What one latent is of, and where it lies."""

    name: str
    subject: str
    split: str
    shard: str
    session: str = ""
    dataset: str = ""
    group: str = ""
    age: str = ""
    sex: str = ""
    parent: str = ""  # the person that a deformed copy is of
    volume_sha256: str = ""
    affine: tuple[tuple[float, ...], ...] = ()  # (4, 4), voxels of the prepared volume to RAS+ mm
    source_affine: tuple[tuple[float, ...], ...] = ()  # of the scan before preparation
    source_shape: tuple[int, ...] = ()

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> LatentEntry:
        """Return the entry of an index. Raises StoreError for keys of another format."""
        known = {f.name for f in fields(cls)}
        if not {"name", "subject", "split", "shard"} <= record.keys() <= known:
            raise StoreError(
                f"an index entry has the keys {sorted(record)}: it was written by another version, encode again"
            )
        tuples = {k: tuple(tuple(r) for r in record[k]) for k in ("affine", "source_affine") if k in record}
        return cls(**(record | tuples | {"source_shape": tuple(record.get("source_shape", ()))}))


@dataclass(frozen=True)
class VAEIdentity:
    """Which VAE made the latents."""

    name: str
    sha256: str
    channels: int
    factor: int


class LatentStore:
    """Latents (C, D, H, W) float32 at a folder or URL that fsspec knows, in the order of the index.

    Safe in DataLoader workers. Raises StoreError where the folder holds no store.
    """

    def __init__(self, location: str | Path) -> None:
        self.location = str(location).rstrip("/")
        try:
            with fsspec.open(f"{self.location}/{INDEX}", "r", encoding="utf-8") as stream:
                index = json.load(stream)
        except FileNotFoundError:
            raise StoreError(f"{self.location}{_what_it_is(self.location)}") from None
        except ValueError as error:
            raise StoreError(f"{self.location}/{INDEX} is not readable ({error}): encode again with --resume") from None
        if index.get("format") != FORMAT:
            raise StoreError(f"{self.location}: store format {index.get('format')}, {FORMAT} is read: encode again")
        self.vae = VAEIdentity(**index["vae"])
        self.shape: tuple[int, ...] = tuple(index["shape"])  # (C, D, H, W)
        self.entries = [LatentEntry.from_json(e) for e in index["entries"]]
        self.has_sigma = bool(index["sigma"])
        self._shards: dict[str, Shard] = {}

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Tensor:
        """Return a latent, the posterior's mean."""
        entry = self.entries[index]
        return self._checked(self._shard(entry.shard).read(entry.name), entry)

    def sigma(self, index: int) -> Tensor:
        """Return the posterior's standard deviation. Raises StoreError where it was not stored."""
        if not self.has_sigma:
            raise StoreError(f"{self.location} holds no standard deviations: encode with sigma=true")
        entry = self.entries[index]
        return self._checked(self._shard(entry.shard).read(f"{entry.name}.sigma"), entry)

    def split(self, name: str) -> list[int]:
        """Return the indices of the latents of a split, in order."""
        return [i for i, entry in enumerate(self.entries) if entry.split == name]

    def _checked(self, latent: Tensor, entry: LatentEntry) -> Tensor:
        if tuple(latent.shape) != self.shape:
            raise StoreError(f"{entry.name} has shape {tuple(latent.shape)}, the store {self.shape}: encode again")
        return latent

    def _shard(self, name: str) -> Shard:
        if name not in self._shards:
            self._shards[name] = Shard(f"{self.location}/{name}.safetensors")
        return self._shards[name]


def _what_it_is(location: str) -> str:
    """Return what a place without an index is, and what to do."""
    folder = Path(location)
    if "://" not in location and not folder.exists():
        return ": no such folder; give one that `neuromf encode` wrote"
    if (folder / "manifest.csv").is_file():
        return " holds prepared volumes: `neuromf encode volumes=THERE out=latents` makes latents of them"
    return f" holds no {INDEX}: give a folder that `neuromf encode` finished"


def write_shard(
    folder: Path, name: str, vae: VAEIdentity, latents: Sequence[tuple[LatentEntry, Tensor, Tensor | None]]
) -> list[LatentEntry]:
    """Write latents (with their sigma, or None) as one shard, then its list, which marks it as done; return the
    entries.
    """
    tensors = {}
    for entry, mean, sigma in latents:
        tensors[entry.name] = mean
        if sigma is not None:
            tensors[f"{entry.name}.sigma"] = sigma
    write_bytes(folder / f"{name}.safetensors", pack(tensors))
    entries = [entry for entry, _, _ in latents]
    write_json(folder / f"{name}.json", {"vae": asdict(vae), "entries": [asdict(e) for e in entries]})
    return entries


def finished_shards(folder: Path, vae: VAEIdentity) -> dict[str, list[LatentEntry]]:
    """Return the entries of each shard that is whole and made by this VAE."""
    found = {}
    for path in sorted(folder.glob("shard-*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            entries = [LatentEntry.from_json(e) for e in record["entries"]]
            header = Shard(str(path.with_suffix(".safetensors"))).header()
        except (OSError, ValueError, KeyError, TypeError):
            continue  # half a shard: it is made again
        if record["vae"] == asdict(vae) and all(e.name in header for e in entries):
            found[path.stem] = entries
    return found


def write_index(
    folder: Path, vae: VAEIdentity, shape: Sequence[int], entries: Sequence[LatentEntry], sigma: bool
) -> None:
    """Write index.json; a store without it is not finished."""
    ordered = sorted(entries, key=lambda e: e.name)
    index = {
        "format": FORMAT,
        "vae": asdict(vae),
        "shape": list(shape),
        "sigma": sigma,
        "entries": [asdict(e) for e in ordered],
    }
    write_json(folder / INDEX, index)
