"""Sets of volumes: folders that generate, prepare or phantom wrote, one split of them, or any folder of NIfTI."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from neuromf.chance import Purpose, generator
from neuromf.data.cohort import read_cohort
from neuromf.data.scans import find_scans
from neuromf.data.splits import SPLITS
from neuromf.data.volume import VolumeError, read_volume, stem
from neuromf.features.extract import Frame

log = logging.getLogger("neuromf")


@dataclass(frozen=True)
class Item:
    """One volume of a set: its file, a name, whose brain it is, and the split it is in, where that is known."""

    path: Path
    name: str
    person: str = ""
    split: str = ""


@dataclass(frozen=True)
class VolumeSet:
    """Volumes under one name."""

    name: str
    items: tuple[Item, ...]

    def __len__(self) -> int:
        return len(self.items)

    @property
    def paths(self) -> list[Path]:
        """The files."""
        return [item.path for item in self.items]

    def drawn(self, n: int, seed: int) -> VolumeSet:
        """Return n of the volumes, drawn at random, in their order; all of them where there are no more."""
        if not n or n >= len(self.items):
            return self
        chosen = torch.randperm(len(self.items), generator=generator(Purpose.SUBSETS, seed))[:n].sort().values
        return VolumeSet(self.name, tuple(self.items[i] for i in chosen.tolist()))


def read_set(folder: str, name: str = "", splits: Sequence[str] = (), contrast: str = "T1w") -> VolumeSet:
    """Return the volumes of a folder. `FOLDER:SPLIT` takes one split of a cohort, as `splits` does.

    Raises FileNotFoundError where there is none, ValueError for splits of something that has none.
    """
    where, chosen = _split_of(folder, splits)
    path = Path(where).expanduser()
    label = name or (f"{path.name}:{chosen[0]}" if where != folder else path.name)
    if (path / "manifest.csv").is_file():
        entries = [e for e in read_cohort(path) if not chosen or e.split in chosen]
        if not entries:
            raise ValueError(f"{where} holds no volume in the splits {', '.join(chosen)}: splits=[val,test], perhaps")
        return VolumeSet(label, tuple(Item(e.path, e.name, e.person, e.split) for e in entries))
    if where != folder:
        raise ValueError(
            f"{folder}: {where} is no folder that `neuromf prepare` or `phantom` wrote, so it has no splits"
        )
    inner = path / "reconstructions"
    scans = find_scans([str(inner if (path / "scores.json").is_file() and inner.is_dir() else path)], contrast)
    return VolumeSet(label, tuple(item_of(Path(s.path), s.name, s.subject) for s in scans))


def item_of(path: Path, name: str, person: str) -> Item:
    """Return an item; a generated volume is nobody's, whatever its number."""
    return Item(path, stem(path)) if "_desc-generated_" in path.name else Item(path, name, person)


def read_sets(folders: object, contrast: str = "T1w") -> list[VolumeSet]:
    """Return a set for each of some folders: a list, or a mapping of names to folders. Raises ValueError for none."""
    named = dict(folders) if isinstance(folders, dict) else None
    listed = list(named.values()) if named is not None else folders if isinstance(folders, list | tuple) else [folders]
    paths = [str(f) for f in listed if f]
    if not paths:
        raise ValueError("sets= is empty: give folders of volumes, sets=[samples1,samples5]")
    names = list(named) if named is not None else shortest_names(paths)
    return [read_set(path, str(name), contrast=contrast) for name, path in zip(names, paths, strict=True)]


def shortest_names(paths: Sequence[str]) -> list[str]:
    """Return the folders' last names; as much of their paths as tells them apart, where two are equal."""
    depth = 1
    while True:
        names = ["/".join(Path(p).parts[-depth:]) for p in paths]
        if len(set(names)) == len(names) or depth > max(len(Path(p).parts) for p in paths):
            return names
        depth += 1


def frame_of(volumes: VolumeSet) -> Frame:
    """Return size and spacing of the first volume that can be read. Raises VolumeError where none can."""
    reasons = []
    for item in volumes.items:
        try:
            return Frame.of(read_volume(item.path).canonical())
        except (VolumeError, OSError) as error:
            reasons.append(str(error))
    raise VolumeError(f"none of the {len(volumes)} volumes of {volumes.name} can be read; the first: {reasons[0]}")


def refuse_training(reference: VolumeSet, train: VolumeSet | None, force: bool) -> list[str]:
    """Raise ValueError where people of the reference are training people, unless forced; return what was found."""
    own = [item for item in reference.items if item.split == "train"]
    people = {item.person for item in train.items if item.person} if train is not None else set()
    files = {item.path.resolve() for item in train.items} if train is not None else set()
    shared = [i for i in reference.items if i.person in people or i.path.resolve() in files]
    found = own or shared
    if not found:
        return []
    text = (
        f"{len(found)} of {len(reference)} volumes of the reference are training data ({found[0].name} first): a model "
        "that copies them would look perfect"
    )
    if not force:
        raise ValueError(f"{text}; take held-out people (splits=[test]), or force=true")
    return [f"{text}. It was forced"]


def vae_named_by(volumes: VolumeSet) -> str:
    """Return the VAE that the sidecars of generated samples name, empty where they name none."""
    for item in volumes.items[:1]:
        path = item.path.with_name(item.path.name.removesuffix(".nii.gz") + ".json")
        try:
            return str(json.loads(path.read_text(encoding="utf-8")).get("VAE", ""))
        except (OSError, ValueError, AttributeError):
            return ""
    return ""


def _split_of(folder: str, splits: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    where, colon, split = folder.rpartition(":")
    if colon and split in SPLITS and not Path(folder).expanduser().exists():
        return where, (split,)
    return folder, tuple(splits)
