"""Sets of volumes: folders that generate, prepare or phantom wrote, one split of
them, or any folder of NIfTI.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from neuromf.data.cohort import Entry, read_cohort
from neuromf.data.reading import read_volume
from neuromf.data.scans import find_scans
from neuromf.data.splits import SPLITS, person
from neuromf.data.volume import VolumeError, require_file, stem
from neuromf.evaluation.lesion_files import lesion_beside
from neuromf.features.extract import Frame
from neuromf.runtime.folders import local_path
from neuromf.runtime.randomness import Purpose, generator
from neuromf.runtime.records import read_json_object

log = logging.getLogger("neuromf")
TAKEN = ("real", "reconstruction", "training")  # names of the references


@dataclass(frozen=True)
class Item:
    """One volume of a set: its file and a name; whose brain it is, the split, the data set and the
    SHA-256 of its file, where they are known; and the file of its lesion mask, if it has one.
    """

    path: Path
    name: str
    person: str = ""
    split: str = ""
    lesion: Path | None = None
    dataset: str = ""
    sha256: str = ""


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
        """Return n of the volumes, drawn at random, in their order; all of
        them where there are no more.
        """
        if not n or n >= len(self.items):
            return self
        chosen = (
            torch.randperm(len(self.items), generator=generator(Purpose.SUBSETS, seed, 0, 0, 0))[:n]
            .sort()
            .values
        )
        return VolumeSet(self.name, tuple(self.items[i] for i in chosen.tolist()))


def read_set(
    folder: str,
    name: str = "",
    splits: Sequence[str] = (),
    contrast: str = "T1w",
    people: bool = False,
) -> VolumeSet:
    """Return the volumes of a folder. `FOLDER:SPLIT` takes one split of a cohort, as `splits` does.

    The person of each volume is known for cohorts and for reconstructions; for other folders it is
    taken from the file names, if these are of `people`.

    Raises FileNotFoundError where there is none, ValueError for splits of something that has none.
    """
    where, chosen = _split_of(folder, splits)
    path = local_path(where)
    label = name or (f"{path.name}:{chosen[0]}" if where != folder else path.name)
    if (path / "manifest.csv").is_file():
        entries = [e for e in read_cohort(path) if not chosen or e.split in chosen]
        if not entries:
            raise ValueError(
                f"{where} holds no volume in the splits "
                f"{', '.join(chosen)}: splits=[val,test], perhaps"
            )
        return VolumeSet(label, tuple(map(_of_entry, entries)))

    if where != folder:
        raise ValueError(
            f"{folder}: {where} is no folder that `neuromf prepare` "
            "or `phantom` wrote, so it has no splits"
        )

    inner = path / "reconstructions"
    is_reconstructed = (path / "scores.json").is_file() and inner.is_dir()
    scans = find_scans([str(inner if is_reconstructed else path)], contrast)
    known = people or is_reconstructed
    items = [
        Item(
            path := Path(s.path),
            s.name,
            person(s.subject) if known else "",
            lesion=lesion_beside(path),
            dataset=s.dataset,
        )
        for s in scans
    ]
    return VolumeSet(label, with_unique_names(items))


def with_unique_names(items: Sequence[Item]) -> tuple[Item, ...]:
    """Return items with different names: where a name is taken, the item is named after
    its file, or numbered.
    """
    taken: set[str] = set()
    out = []
    for item in items:
        names = (
            item.name,
            stem(item.path),
            *(f"{item.name}-{n}" for n in range(2, len(items) + 2)),
        )
        name = next(n for n in names if n not in taken)
        taken.add(name)
        out.append(replace(item, name=name))

    return tuple(out)


def one_a_person(volumes: VolumeSet) -> tuple[VolumeSet, int]:
    """Return the first volume of each person, and how many further ones that leaves out.

    Two scans of one person do not count as two people: two halves of a set could then hold one
    person, and intervals would be too narrow.
    """
    first: dict[str, Item] = {}
    for item in volumes.items:
        first.setdefault(item.person or f"/{item.path}", item)
    return VolumeSet(volumes.name, tuple(first.values())), len(volumes) - len(first)


def read_sets(folders: object, contrast: str = "T1w") -> list[VolumeSet]:
    """Return a set for each of some folders: a list, or a mapping of names to
    folders. Raises ValueError for none, and for a name without one.
    """
    mapping = dict(folders) if isinstance(folders, dict) else None
    listed = (
        list(mapping.values())
        if mapping is not None
        else folders
        if isinstance(folders, list | tuple)
        else [folders]
    )
    if nowhere := [str(name) for name, folder in (mapping or {}).items() if not folder]:
        raise ValueError(f"sets.{nowhere[0]} names no folder: sets.{nowhere[0]}=FOLDER")
    paths = [str(f) for f in listed if f]
    if not paths:
        raise ValueError("sets= is empty: give folders of volumes, sets=[samples1,samples5]")

    names = list(mapping) if mapping is not None else shortest_names(paths)
    if len(set(names)) < len(names):
        raise ValueError(f"sets={listed}: a folder is named twice")

    return [
        named(read_set(path, str(n), contrast=contrast))
        for n, path in zip(names, paths, strict=True)
    ]


def named(volumes: VolumeSet) -> VolumeSet:
    """Return a set of samples under a name that no reference has."""
    return replace(volumes, name=f"{volumes.name} (samples)") if volumes.name in TAKEN else volumes


def shortest_names(paths: Sequence[str]) -> list[str]:
    """Return the folders' last names; as much of their paths as tells them apart, where
    two are equal.
    """
    depth = 1
    while True:
        names = ["/".join(Path(p).parts[-depth:]) for p in paths]
        if len(set(names)) == len(names) or depth > max(len(Path(p).parts) for p in paths):
            return names
        depth += 1


def frame_of(volumes: VolumeSet) -> Frame:
    """Return size and spacing of the first volume that can be read. Raises VolumeError
    where none can.
    """
    reasons = []
    for item in volumes.items:
        try:
            require_file(item.path)
            return Frame.of(read_volume(item.path).canonical())
        except (VolumeError, OSError) as error:
            reasons.append(str(error))
    raise VolumeError(
        f"none of the {len(volumes)} volumes of {volumes.name} can be read; the first: {reasons[0]}"
    )


def refuse_training(reference: VolumeSet, train: VolumeSet | None, force: bool) -> list[str]:
    """Raise ValueError where people of the reference are training people, unless
    forced; return what was found.
    """
    training = train.items if train is not None else ()
    known = [
        item
        for item, copied in zip(reference.items, in_files_of(reference, training), strict=True)
        if copied or item.split == "train"
    ]
    found = known or of_people_in(reference.items, training)
    if not found:
        return []

    what = "are training data" if known else "have subject names of training data"
    text = (
        f"{len(found)} of {len(reference)} volumes of the reference {what} "
        f"({found[0].name} first): a model that copies them would look perfect"
    )
    if not force:
        others = "" if known else "prepare both with their dataset= if they are other people, "
        raise ValueError(f"{text}; take held-out people (splits=[test]), {others}or force=true")

    return [f"{text}. It was forced"]


def in_files_of(volumes: VolumeSet, others: Sequence[Item]) -> list[bool]:
    """Return of each volume whether others have its file, or one that is equal."""
    paths = {item.path.resolve() for item in others}
    hashes = {item.sha256 for item in others if item.sha256}
    return [i.path.resolve() in paths or i.sha256 in hashes for i in volumes.items]


def of_people_in(items: Sequence[Item], others: Sequence[Item]) -> list[Item]:
    """Return the volumes of people that others are of too, as far as names tell: two data sets may
    each have a sub-01 of their own.
    """
    datasets: dict[str, set[str]] = {}
    for item in others:
        datasets.setdefault(item.person, set()).add(item.dataset.casefold())

    def is_shared(item: Item) -> bool:
        found = datasets.get(item.person, set())
        return bool(found) and (not item.dataset or bool({"", item.dataset.casefold()} & found))

    return [item for item in items if item.person and is_shared(item)]


def vae_named_by(volumes: VolumeSet) -> tuple[str, str]:
    """Return name and fingerprint of the VAE in the sidecar of a generated sample, empty
    where there is none.
    """
    for item in volumes.items[:1]:
        path = item.path.with_name(item.path.name.removesuffix(".nii.gz") + ".json")
        if not path.is_file():
            return "", ""
        try:
            record = read_json_object(path)
            return str(record.get("VAE", "")), str(record.get("VAESha256", ""))
        except (OSError, ValueError):
            return "", ""
    return "", ""


def _of_entry(entry: Entry) -> Item:
    lesion = entry.lesion_path if entry.lesion_sha256 else None
    known = (str(entry.record.get(key) or "") for key in ("dataset", "sha256"))
    return Item(entry.path, entry.name, person(entry.person), entry.split, lesion, *known)


def _split_of(folder: str, splits: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    where, colon, split = folder.rpartition(":")
    if colon and split in SPLITS and not local_path(folder).exists():
        return where, (split,)
    return folder, tuple(splits)
