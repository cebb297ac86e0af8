"""`neuromf export-bids`: a folder of prepared volumes as a BIDS derivative."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuromf import __version__
from neuromf.data import bids
from neuromf.data.cohort import Entry, read_cohort
from neuromf.data.volume import VolumeError, volume_sha256
from neuromf.runtime.config import ConfigError
from neuromf.runtime.files import atomic, write_json, write_text
from neuromf.runtime.folders import COMMON, Output, local_path
from neuromf.runtime.records import read_json_object
from neuromf.runtime.run import open_run

DESCRIPTION = "dataset_description.json"
OUTPUT = Output(
    "export-bids",
    (DESCRIPTION, "README.md", ".bidsignore", "participants.tsv", "participants.json",
     "sub-*/**"),
)  # fmt: skip
COLUMNS = {
    "participant_id": "the person",
    "age": "in years",
    "sex": "as the source has it",
    "dataset": "the data set that the scan is from",
    "split": "train, val or test",
}
STEPS = ("spacing_mm", "n4", "intensity", "brain_ml")  # kept from the record
STRIP = ("method", "brain_ml", "stripped_already")  # and of its step `strip`: nothing with a path


@dataclass(frozen=True)
class ExportBidsConfig:
    """Which volumes."""

    volumes: str = ""  # a folder that `neuromf prepare` or `phantom` wrote
    suffix: str = ""  # BIDS suffix of the files; the scan's contrast, or T1w, if empty

    def __post_init__(self) -> None:
        if self.suffix and not self.suffix.isalnum():
            raise ValueError(
                f"suffix is {self.suffix!r}: letters and digits alone, such as T1w or FLAIR"
            )


@dataclass(frozen=True)
class Named:
    """A prepared volume under its BIDS labels."""

    entry: Entry
    person: str  # sub-01
    session: str  # ses-2, or empty
    record: dict[str, Any]
    suffix: str  # T1w

    def path(self, ending: str) -> Path:
        """Return a file of it, relative to the data set."""
        labels = [label for label in (self.person, self.session) if label]
        return Path(*labels, "anat", f"{'_'.join(labels)}_{ending}")


def run(
    config: ExportBidsConfig, out: Path, *, resume: bool = False, overwrite: bool = False
) -> Path:
    """Copy the volumes and lesion masks of a folder into a BIDS derivative and return it.

    Raises ConfigError or ValueError for another folder, and where two volumes would have one name.
    """
    if not config.volumes:
        raise ConfigError("volumes= names no folder: give one that `neuromf prepare` wrote")
    named = labelled(read_cohort(local_path(config.volumes)), config.suffix)
    links = dict(raw_trees(named))
    with open_run(out, config, OUTPUT, [config.volumes], resume=resume, overwrite=overwrite):
        for volume in named:
            write_volume_of(volume, out, links)
        describe(out, named, links)
        print(f"{out}: {len(named)} volumes of {len({n.person for n in named})} people")
    return out


def labelled(entries: Sequence[Entry], suffix: str = "") -> list[Named]:
    """Return volumes with labels of letters and digits. Raises ValueError where two people, or two
    sessions of one, get the same, as `a-b` and `ab` do, and for a name without any.
    """
    people: dict[str, str] = {}
    found: dict[tuple[str, str], str] = {}
    named = []
    for entry in entries:
        own, at = letters(entry.subject, "sub-"), str(entry.record.get("session") or "")
        session = letters(at, "ses-")
        if not own or (at and not session):
            raise ValueError(f"{entry.name}: no ASCII letter or digit in its subject or session")
        other = people.setdefault(own.casefold(), entry.subject)
        if other != entry.subject:
            raise ValueError(
                f"{other} and {entry.subject} would both be sub-{own}: BIDS has letters and digits "
                "alone; rename one in the table"
            )
        before = found.setdefault((own, session.casefold()), entry.name)
        if before != entry.name:
            raise ValueError(
                f"{before} and {entry.name} would both be sub-{own} ses-{session}: rename one "
                "session in the table"
            )
        record = entry.sidecar()
        kind = suffix or str(record.get("contrast") or "T1w")
        if not kind.isalnum():
            raise ValueError(f"{entry.name}: its contrast is {kind!r}: suffix=T1w names a BIDS one")
        named.append(Named(entry, f"sub-{own}", f"ses-{session}" if session else "", record, kind))
    return named


def letters(text: str, prefix: str) -> str:
    """Return the letters and digits of a label."""
    return re.sub(r"[^A-Za-z0-9]", "", text.removeprefix(prefix))


def raw_trees(named: Sequence[Named]) -> Iterator[tuple[str, Path]]:
    """Yield name and folder of each BIDS tree that scans come from."""
    seen: set[Path] = set()
    for volume in named:
        root = tree_of(Path(str(volume.record.get("path", ""))))
        if root is not None and root not in seen:
            seen.add(root)
            yield f"source{len(seen)}", root


def tree_of(path: Path) -> Path | None:
    """Return the BIDS tree that a file lies in, None if it lies in none."""
    return next((p for p in path.parents if (p / DESCRIPTION).is_file()), None)


def write_volume_of(volume: Named, out: Path, links: dict[str, Path]) -> None:
    """Write the image of a volume, its lesion mask if it has one, and their sidecars."""
    record, entry = volume.record, volume.entry
    found = [f"bids:{name}:{own}" for name, own in source_of(record, links)]
    sources = {"Sources": found} if found else {}
    strip = record.get("strip") or {}
    stripped = strip.get("method") != "none" or bool(strip.get("stripped_already"))
    steps = {key: record[key] for key in STEPS if key in record}
    about = {
        "Description": "a grid of cubic voxels, intensities from 0 to 1",
        "SkullStripped": stripped,
        "NeuroMF": steps | {"strip": {key: strip[key] for key in STRIP if key in strip}},
    }
    image = f"desc-prepared_{volume.suffix}"
    copy(entry.path, str(entry.record["sha256"]), out / volume.path(f"{image}.nii.gz"))
    write_json(out / volume.path(f"{image}.json"), about | sources)
    if entry.lesion_sha256:
        mask = "label-lesion_desc-prepared_mask"
        copy(entry.lesion_path, entry.lesion_sha256, out / volume.path(f"{mask}.nii.gz"))
        lesion = {"Type": "Lesion", "LesionMl": record.get("lesion_ml")}
        write_json(out / volume.path(f"{mask}.json"), lesion | sources)


def source_of(record: dict[str, Any], links: dict[str, Path]) -> Iterator[tuple[str, str]]:
    """Yield the name of the tree, and the path in it, of the scan that a record was made from."""
    path = Path(str(record.get("path", "")))
    for name, root in links.items():
        if path.is_relative_to(root):
            yield name, path.relative_to(root).as_posix()


def copy(source: Path, sha256: str, target: Path) -> None:
    """Copy a file, unless it is there already. Raises VolumeError where the source is not the file
    that was prepared.
    """
    if target.is_file() and volume_sha256(target) == sha256:
        return
    if not source.is_file() or volume_sha256(source) != sha256:
        raise VolumeError(f"{source}: is not the file that was prepared: prepare it again")
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic(target) as temporary:
        shutil.copyfile(source, temporary)


def describe(out: Path, named: Sequence[Named], links: dict[str, Path]) -> None:
    """Write what the data set says of itself, and of its people."""
    about = {
        "Name": f"{out.resolve().name}: prepared brain MRI",
        "BIDSVersion": bids.VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "NeuroMF", "Version": __version__}],
        "DatasetLinks": {name: link(root, out) for name, root in links.items()},
    }
    write_json(out / DESCRIPTION, about)
    write_text(out / "participants.tsv", participants(named))
    write_json(out / "participants.json", {c: {"Description": d} for c, d in COLUMNS.items()})
    write_text(out / ".bidsignore", "\n".join(COMMON) + "\n")
    write_text(out / "README.md", f"# {about['Name']}\n\nWritten by `neuromf export-bids`.\n")


def participants(named: Sequence[Named]) -> str:
    """Return participants.tsv: a line for each person."""
    people: dict[str, list[str]] = {}
    for volume in named:
        row = volume.entry.record | {"participant_id": volume.person, "split": volume.entry.split}
        values = [" ".join(str(row.get(column) or "n/a").split()) for column in COLUMNS]
        people.setdefault(volume.person, values)
    return "".join("\t".join(values) + "\n" for values in [list(COLUMNS), *people.values()])


def link(root: Path, out: Path) -> str:
    """Return where a data set is: its DOI, or the way to its folder."""
    try:
        doi = str(read_json_object(root / DESCRIPTION).get("DatasetDOI") or "")
    except ValueError:  # no JSON object: `prepare` has said so
        doi = ""
    try:
        return doi or Path(os.path.relpath(root, out)).as_posix()
    except ValueError:  # on another drive of Windows
        return root.resolve().as_uri()
