"""A folder of prepared volumes: one NIfTI and one JSON file per scan, manifest.csv, split.json,
contact sheets.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuromf.data.lesion_file import lesion_path, read_lesion, remove_lesion, save_lesion
from neuromf.data.own_files import refuse_replacing
from neuromf.data.pictures import pair_picture
from neuromf.data.reading import picture, read_volume
from neuromf.data.scan import Scan
from neuromf.data.splits import SPLITS, Split, SplitConfig, person, spellings, split_subjects
from neuromf.data.volume import Volume, volume_sha256, write_volume
from neuromf.reporting.slices import Picture, contact_sheets
from neuromf.runtime.files import write_json
from neuromf.runtime.folders import local_path
from neuromf.runtime.records import as_record, read_json_object, read_record
from neuromf.runtime.tables import read_table, write_table

log = logging.getLogger("neuromf")
# of prepare and phantom
COHORT_FILES = ("*.nii.gz", "*.json", "manifest.csv", "rejected.csv", "contact*.png")
AGAIN = "prepare the folder again with --resume"
MANIFEST = (  # the columns of manifest.csv
    *("name", "subject", "session", "dataset", "group", "age", "sex", "path"),
    *("parent", "split", "volume", "sha256"),
)
OF_LESIONS = ("lesion_sha256", "lesion_ml")  # further columns where a volume has a lesion mask

Rows = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Place:
    """What the sidecar of a prepared volume says about its grid, and its scan's."""

    affine: Rows  # (4, 4), voxels to RAS+ mm
    shape: tuple[int, ...] = ()  # (D, H, W)
    source_affine: Rows = ()
    source_shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for rows in (self.affine, self.source_affine or self.affine):
            if len(rows) != 4 or any(len(row) != 4 for row in rows):
                raise ValueError("affine and source_affine: 4 x 4 numbers")
        if len(self.shape) not in {0, 3}:
            raise ValueError(f"shape is {list(self.shape)}: (D, H, W)")


@dataclass(frozen=True)
class Entry:
    """One prepared volume: its name, files, split and record."""

    name: str
    path: Path
    split: Split
    record: dict[str, Any]

    @property
    def subject(self) -> str:
        """The subject."""
        return str(self.record["subject"])

    @property
    def person(self) -> str:
        """The person whose brain it is; for a deformed copy, the person who was copied."""
        return str(self.record.get("parent") or self.record["subject"])

    def sidecar(self) -> dict[str, Any]:
        """Return the volume's own record, with every step of its preparation. Raises ValueError if
        it is not readable.
        """
        path = self.path.with_name(f"{self.name}.json")
        try:
            return read_json_object(path, AGAIN)
        except OSError as error:
            raise ValueError(f"{path} is not readable ({error}): {AGAIN}") from None

    def place(self) -> Place:
        """Return where the volume lies in space. Raises RecordError if its sidecar is not as
        `prepare` writes it.
        """
        return as_record(
            self.sidecar(), Place, str(self.path.with_name(f"{self.name}.json")), AGAIN
        )

    def read(self) -> Volume:
        """Return the volume, [0, 1]."""
        return read_volume(self.path)

    @property
    def lesion_path(self) -> Path:
        """The file of the lesion mask, where the volume has one."""
        return lesion_path(self.path.parent, self.name)

    @property
    def lesion_sha256(self) -> str:
        """The SHA-256 of the lesion mask's file; empty where the volume has none."""
        return str(self.record.get("lesion_sha256") or "")

    def read_lesion(self) -> Volume | None:
        """Return the lesion mask on the volume's grid, voxels 0 and 1, or None where the volume has
        none. Raises VolumeError if its file is missing or damaged.
        """
        return read_lesion(self.lesion_path) if self.lesion_sha256 else None


@dataclass(frozen=True)
class _Dealt:
    """What split.json holds."""

    train: tuple[str, ...] = ()
    val: tuple[str, ...] = ()
    test: tuple[str, ...] = ()


def save_entry(
    folder: Path,
    scan: Scan,
    volume: Volume,
    record: Mapping[str, Any],
    lesion: Volume | None = None,
) -> dict[str, Any]:
    """Write a prepared volume, its lesion mask if there is one (voxels 0 and 1, on the volume's
    grid), and then its record, which marks both as complete; return the record.

    A mask of an earlier run is deleted where there is none now. Raises VolumeError for a lesion
    mask on another grid, or with other values, and where somebody's own file would be replaced.
    """
    path, mask = folder / f"{scan.name}.nii.gz", lesion_path(folder, scan.name)
    refuse_replacing(folder / f"{scan.name}.json", [path] if lesion is None else [path, mask])
    write_volume(path, volume)
    whole = {"name": scan.name} | scan.row() | {"sha256": volume_sha256(path)} | dict(record)
    if lesion is None:
        remove_lesion(folder, scan.name)
    else:
        whole |= save_lesion(mask, volume, lesion)
    write_json(folder / f"{scan.name}.json", whole)
    return whole


def saved_record(folder: Path, name: str, kinds: Mapping[str, type] = {}) -> dict[str, Any] | None:
    """Return the record of a volume that is completely there, with its lesion mask if it has one;
    None if it has to be made.

    `kinds` are keys that the record needs, and their types: a volume whose record was
    edited is made again.
    """
    path = folder / f"{name}.nii.gz"
    try:
        record = read_json_object(folder / f"{name}.json")
    except (OSError, ValueError):
        return None

    needed = {"name": str, "subject": str, "sha256": str, "notes": list, **kinds}
    files = {path: "sha256"}
    if "lesion_sha256" in record:
        needed["lesion_sha256"] = str
        files[lesion_path(folder, name)] = "lesion_sha256"

    typed = all(isinstance(record.get(key), kind) for key, kind in needed.items())
    if not typed or record["name"] != name:
        return None
    whole = all(p.is_file() and volume_sha256(p) == record[key] for p, key in files.items())
    return record if whole else None


def finish_cohort(
    folder: Path, records: Sequence[Mapping[str, Any]], split: SplitConfig
) -> dict[str, Split]:
    """Write manifest.csv, split.json and the contact sheets of the volumes in `records`; return
    each subject's split.

    A volume with a `parent` (a deformed copy) belongs to its parent's split, and everyone keeps the
    split of an earlier split.json: when a cohort grows, nobody changes split.
    """
    records = sorted(records, key=lambda r: str(r["name"]))
    families = {_family(r): f"{r['dataset']}/{r['group']}" for r in records}
    earlier = earlier_split(folder)
    given = {
        _family(r): earlier[person(r["subject"])]
        for r in records
        if person(r["subject"]) in earlier
    }
    given |= {_family(r): r["split"] for r in records if r.get("split")}
    by_family = split_subjects(families, split, given)
    splits = {str(r["subject"]): by_family[_family(r)] for r in records}
    for names in spellings([*families, *splits]):
        log.warning("%s: taken for one person", ", ".join(names))
    rows = [
        {column: str(r.get(column, "")) for column in MANIFEST}
        | {"split": splits[str(r["subject"])], "volume": f"{r['name']}.nii.gz"}
        for r in records
    ]
    if any(r.get("lesion_sha256") for r in records):
        for row, r in zip(rows, records, strict=True):
            row |= {column: str(r.get(column, "")) for column in OF_LESIONS}

    write_table(folder / "manifest.csv", rows)
    write_json(
        folder / "split.json",
        {name: sorted(s for s, at in splits.items() if at == name) for name in SPLITS},
    )
    labels = [f"{r['name']} ({splits[str(r['subject'])]})" for r in records]
    with ThreadPoolExecutor(4) as pool:
        contact_sheets(folder, pool.map(functools.partial(_picture, folder), records), labels)

    return splits


def _picture(folder: Path, record: Mapping[str, Any]) -> Picture:
    path = folder / f"{record['name']}.nii.gz"
    if record.get("lesion_sha256"):
        return pair_picture(path, lesion_path(folder, str(record["name"])))
    return picture(path)


def _family(record: Mapping[str, Any]) -> str:
    return str(record.get("parent") or record["subject"])


def earlier_split(folder: Path) -> dict[str, Split]:
    """Return each person's split (see `splits.person`) in a folder's split.json, if there is one.

    Raises ValueError if the file is damaged: splits would be drawn again, and some people
    would change theirs.
    """
    path = folder / "split.json"
    if not path.is_file():
        return {}
    record = read_record(path, _Dealt, "repair it, or delete it to deal everyone again")
    # the last one counts, training: what has been trained on must not be held out
    return {person(subject): name for name in reversed(SPLITS) for subject in getattr(record, name)}


def read_cohort(folder: Path) -> list[Entry]:
    """Return what `prepare` or `phantom` wrote into a folder. Raises FileNotFoundError for
    any other folder.
    """
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        raise FileNotFoundError(
            f"{folder} holds no manifest.csv: give a folder that `neuromf prepare` wrote"
        )

    columns, rows = read_table(manifest)
    missing = [column for column in MANIFEST if column not in columns]
    if missing:
        raise ValueError(f"{manifest}: lacks the columns {', '.join(missing)}: {AGAIN}")
    entries = []
    for row in rows:
        if row["split"] not in SPLITS or not all(row[key] for key in ("name", "subject", "volume")):
            raise ValueError(f"{manifest}: no volume and split in the row {row}: {AGAIN}")
        entries.append(Entry(row["name"], folder / row["volume"], row["split"], dict(row)))

    if not entries:
        raise ValueError(f"{manifest} lists no volume: {AGAIN}")
    return entries


def read_cohorts(volumes: Any) -> list[list[Entry]]:
    """Return the entries of each folder in `volumes`, a path or a list of paths; a folder may
    be named twice.

    Raises ValueError if there is none, if two folders share a name, or if a person
    is in two splits.
    """
    given = volumes if isinstance(volumes, list | tuple) else [volumes]
    folders = [local_path(str(v)) for v in given if v]
    if not folders:
        raise ValueError(
            "volumes= is empty: a folder that `neuromf prepare` or `phantom` wrote, or several"
        )

    cohorts = {folder: read_cohort(folder) for folder in dict.fromkeys(folders)}
    names: dict[str, Path] = {}
    people: dict[str, Entry] = {}

    for entry in (e for cohort in cohorts.values() for e in cohort):
        if entry.name in names:
            both = f"{entry.name} is both {names[entry.name]} and {entry.path}"
            raise ValueError(f"{both}: rename one in its manifest")
        names[entry.name] = entry.path
        first = people.setdefault(person(entry.person), entry)
        if first.split != entry.split:
            raise ValueError(
                f"{entry.person} is in {first.split} ({first.path}) and in {entry.split} "
                f"({entry.path}): make the copies again, or split the folders as one cohort"
            )

    return [cohorts[folder] for folder in folders]
