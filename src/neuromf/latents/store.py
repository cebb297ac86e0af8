"""The latent store: shards of latents, and index.json, which says what each latent is of and
which VAE made it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from neuromf.autoencoder.components import IMAGE, Component, check_components
from neuromf.autoencoder.frozen import LatentSpace
from neuromf.latents.shard import Shard, StoreError, pack, read_file
from neuromf.runtime.checksums import tensor_crc32
from neuromf.runtime.files import write_bytes, write_json
from neuromf.runtime.records import RecordError, as_record, parse_record, read_record

INDEX = "index.json"
FORMAT = 2
EARLIER = 1  # one VAE for all channels, its decoder in the fingerprint
SHARD_NAME = re.compile(r"[A-Za-z0-9][\w-]*")
STORE_FILES = ("shard-*.safetensors", "shard-*.json", INDEX, "stats.json", "rejected.csv")


@dataclass(frozen=True)
class LatentEntry:
    """What one latent is of, and where it is stored."""

    name: str
    subject: str
    split: str
    shard: str
    session: str = ""
    dataset: str = ""
    group: str = ""
    age: str = ""
    sex: str = ""
    contrast: str = ""
    site: str = ""
    parent: str = ""  # the person that a deformed copy is of
    volume_sha256: str = ""
    lesion_sha256: str = ""  # of the lesion mask in the latent; empty where it holds none
    lesion_ml: float | None = None
    lesion_kind: str = ""  # of simulated lesions, also in an image without mask: simulated fcd
    # centre of gravity of the lesions in shares of the grid's three sides; empty if there are none
    lesion_centre: tuple[float, ...] = ()
    affine: tuple[tuple[float, ...], ...] = ()  # (4, 4), voxels of the prepared volume to RAS+ mm
    source_affine: tuple[tuple[float, ...], ...] = ()  # of the scan before preparation
    source_shape: tuple[int, ...] = ()
    # of the mean's bytes, and of sigma's if stored; empty in files of earlier versions
    crc32: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        # It becomes part of a path, which must not leave the store.
        if not SHARD_NAME.fullmatch(self.shard):
            raise ValueError(f"shard is {self.shard!r}: a name such as shard-00000")
        if any(
            len(a) not in (0, 4) or any(len(row) != 4 for row in a)
            for a in (self.affine, self.source_affine)
        ):
            raise ValueError("affine and source_affine: 4 x 4 numbers, or none")
        if len(self.lesion_centre) not in (0, 3):
            raise ValueError(f"lesion_centre is {list(self.lesion_centre)}: three shares, or none")


@dataclass(frozen=True)
class Index:
    """What index.json holds."""

    format: int
    components: tuple[Component, ...]
    shape: tuple[int, ...]  # of a latent, (C, D, H, W)
    sigma: bool  # whether standard deviations are stored
    entries: tuple[LatentEntry, ...]

    def __post_init__(self) -> None:
        if len(self.shape) != 4 or min(self.shape) < 1:
            raise ValueError(f"shape is {list(self.shape)}: (C, D, H, W)")
        check_components(self.components, self.shape[0])
        names = [entry.name for entry in self.entries]
        if len(set(names)) < len(names):
            raise ValueError("two entries have one name")


@dataclass(frozen=True)
class ShardList:
    """What the JSON beside a shard holds."""

    components: tuple[Component, ...]
    entries: tuple[LatentEntry, ...]


def read_index(content: bytes, where: str) -> Index:
    """Return what an index.json holds, also one of version 0.1. Raises
    RecordError or StoreError.
    """
    advice = "encode again with --resume"
    record = parse_record(content, dict[str, Any], where, advice)
    found = record.get("format")
    if found == EARLIER and isinstance(record.get("vae"), dict):
        record |= {"format": FORMAT, "components": [{"name": IMAGE, "vae": record.pop("vae")}]}
    elif isinstance(found, int) and found != FORMAT:
        raise StoreError(f"{where}: store format {found}, {FORMAT} is read: encode again")
    return as_record(record, Index, where, advice)


class LatentStore:
    """Latents (C, D, H, W) float32 at a folder or URL that fsspec knows, in the order of the index.

    Safe in DataLoader workers. Raises StoreError if the folder holds no store.
    """

    def __init__(self, location: str | Path) -> None:
        self.location = str(location).rstrip("/")
        where = f"{self.location}/{INDEX}"
        try:
            index = read_index(read_file(where), where)
        except (FileNotFoundError, NotADirectoryError):
            raise StoreError(f"{self.location}{_what_it_is(self.location)}") from None
        except RecordError as error:
            raise StoreError(str(error)) from None

        self.components, self.shape, self.has_sigma = index.components, index.shape, index.sigma
        self.entries = list(index.entries)
        self._shards: dict[str, Shard] = {}
        self._verified: set[str] = set()

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def vae(self) -> LatentSpace:
        """The latent space of the first component, the image."""
        return self.components[0].vae

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size of the volumes, mm; 1 where latents were imported without any."""
        affine = next((e.affine for e in self.entries if e.affine), ())
        if not affine:
            return 1.0, 1.0, 1.0
        a, b, c = np.linalg.norm(np.array(affine)[:3, :3], axis=0).round(4).tolist()
        return a, b, c

    def __getitem__(self, index: int) -> Tensor:
        """Return a latent, the posterior's mean; its checksum is compared the first
        time in each process.
        """
        entry = self.entries[index]
        return self._read(entry, mean_key(entry.name), 0)

    def sigma(self, index: int) -> Tensor:
        """Return the posterior's standard deviation. Raises StoreError if it was not stored."""
        if not self.has_sigma:
            raise StoreError(
                f"{self.location} holds no standard deviations: encode with sigma=true"
            )
        entry = self.entries[index]
        shard = self._shard(entry.shard)
        key = sigma_key(entry.name)
        # the second form is of version 0.1
        return self._read(entry, key if key in shard.header() else f"{entry.name}.sigma", 1)

    @property
    def sha256(self) -> str:
        """Fingerprint of the content: which latents, of whom, in which split;
        independent of the shards.
        """
        rows = [
            (e.name, e.subject, e.parent, e.split, e.volume_sha256, e.crc32) for e in self.entries
        ]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    def split(self, name: str) -> list[int]:
        """Return the indices of the latents of a split, in order."""
        return [i for i, entry in enumerate(self.entries) if entry.split == name]

    def _read(self, entry: LatentEntry, key: str, part: int) -> Tensor:
        known = part < len(entry.crc32) and key not in self._verified
        latent = self._shard(entry.shard).read(key, entry.crc32[part] if known else None)
        self._verified.add(key)
        if tuple(latent.shape) != self.shape:
            raise StoreError(
                f"{entry.name} has shape "
                f"{tuple(latent.shape)}, the store {self.shape}: encode again"
            )
        return latent

    def _shard(self, name: str) -> Shard:
        if name not in self._shards:
            self._shards[name] = Shard(f"{self.location}/{name}.safetensors")
        return self._shards[name]


def mean_key(name: str) -> str:
    """Return the key of a latent's mean in its shard. safetensors reserves
    __metadata__ for itself.
    """
    return f"/{name}" if name.startswith("__") else name


def sigma_key(name: str) -> str:
    """Return the key of a latent's standard deviation; no name contains a slash, so no other
    latent has this key.
    """
    return f"{name}/sigma"


def _what_it_is(location: str) -> str:
    """Return what a location without an index is, and what to do."""
    folder = Path(location)
    if "://" not in location and not folder.exists():
        return ": no such folder; give one that `neuromf encode` wrote"
    if (folder / "manifest.csv").is_file():
        return (
            " holds prepared volumes: `neuromf encode "
            "volumes=THERE out=latents` makes latents of them"
        )
    return f" holds no {INDEX}: give a folder that `neuromf encode` finished"


def write_shard(
    folder: Path,
    name: str,
    components: Sequence[Component],
    latents: Sequence[tuple[LatentEntry, Tensor, Tensor | None]],
) -> list[LatentEntry]:
    """Write latents (with their sigma, or None) as one shard, then its list, which marks it as
    complete; return the entries.
    """
    tensors: dict[str, Tensor] = {}
    entries = []
    for entry, mean, sigma in latents:
        own = {mean_key(entry.name): mean} | (
            {sigma_key(entry.name): sigma} if sigma is not None else {}
        )
        tensors |= own
        entries.append(
            replace(entry, crc32=tuple(tensor_crc32(values.float()) for values in own.values()))
        )

    write_bytes(folder / f"{name}.safetensors", pack(tensors))
    record = {
        "components": [asdict(c) for c in components],
        "entries": [asdict(e) for e in entries],
    }
    write_json(folder / f"{name}.json", record)
    return entries


def finished_shards(folder: Path, components: Sequence[Component]) -> dict[str, list[LatentEntry]]:
    """Return the entries of each shard that is complete and has these components."""
    found = {}
    for path in sorted(folder.glob("shard-*.json")):
        try:
            record = read_record(path, ShardList)
            header = Shard(str(path.with_suffix(".safetensors"))).header()
        except (OSError, ValueError):
            continue  # an incomplete shard, which is encoded again
        whole = all(mean_key(e.name) in header for e in record.entries)
        if whole and record.components == tuple(components):
            found[path.stem] = list(record.entries)
    return found


def write_index(
    folder: Path,
    components: Sequence[Component],
    shape: Sequence[int],
    entries: Sequence[LatentEntry],
    sigma: bool,
) -> None:
    """Write index.json; a store without it is incomplete."""
    ordered = sorted(entries, key=lambda e: e.name)
    index = {
        "format": FORMAT,
        "components": [asdict(c) for c in components],
        "shape": list(shape),
        "sigma": sigma,
        "entries": [asdict(e) for e in ordered],
    }
    write_json(folder / INDEX, index)
