"""Which scans there are: one file, a folder, a glob, a CSV or TSV manifest, or a BIDS tree."""

from __future__ import annotations

import glob
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from neuromf.data.bids import bids_scans, is_bids
from neuromf.data.files import (
    convert_dicom,
    first_dicom,
    place_in,
    volumes_below,
    volumes_matching,
)
from neuromf.data.scan import COLUMNS, LONGEST, NAMED, Scan
from neuromf.data.splits import person
from neuromf.data.volume import ENDINGS, stem
from neuromf.runtime.folders import local_path
from neuromf.runtime.tables import read_table

log = logging.getLogger("neuromf")
CONTRASTS = re.compile(r"[_-](T1w?|T2w?|FLAIR|PDw?|mprage|brain)(?:_\d+mm)?$", re.IGNORECASE)
IMAGES = re.compile(r"(t1w?|t2w?|flair|pdw?)", re.IGNORECASE)  # columns of a table that name images
LABELS = re.compile(r"[_-](mask|seg|dseg|aseg|lesions?|labels?|roi|probseg)$", re.IGNORECASE)
MAPS = re.compile(r"[_-](seg|dseg|aseg|labels?)$", re.IGNORECASE)  # of these, whole label maps
FILES = ("path", "mask", "lesion")  # columns of a table that name files, relative to it
NO_FILE = "n/a"  # in a cell of these, as in the tables of BIDS
OURS = {"run", "split", "__metadata__"}  # run.json, split.json; reserved in headers of safetensors


def find_scans(
    sources: Iterable[str], contrast: str = "T1w", *, label_maps: bool = False
) -> list[Scan]:
    """Return the scans that each source names, in a fixed order; `contrast` chooses the files
    of a BIDS tree or folder, and the column of a table without `path`.

    A folder's files that are named after another contrast, or as masks, are left out; with
    `label_maps`, those named as label maps are what is looked for. A subject's name that two
    datasets share is preceded by the dataset's; if two subjects would share a file name, it gets a
    label. Raises FileNotFoundError if a source holds none, ValueError if a manifest lacks its path
    column.
    """
    found = [scan for source in sources for scan in _scans(source, contrast, label_maps)]
    return _labelled(_told_apart(found))


def read_manifest(path: Path, contrast: str = "T1w") -> list[Scan]:
    """Return the scans of a CSV or TSV table with any fields of Scan. The images are in its column
    `path`, or, without one, in the column named after the contrast (T1w, FLAIR); a row whose cell
    is empty there is left out. Files are relative to the table.
    """
    columns, rows = read_table(path)
    images = _image_column(path, columns, contrast)
    scans = []
    for row in rows:
        row |= {c: "" for c in (*FILES, images) if row.get(c) == NO_FILE}
        known = {column: row[column] for column in COLUMNS if column in row}
        if images != "path":
            known |= {"path": row[images], "contrast": row.get("contrast") or contrast}
        if known["path"]:
            scans.append(_from_row(path.parent, known))

    if images != "path" and len(scans) < len(rows):
        log.warning("%s: left out, without %s: %d", path, contrast, len(rows) - len(scans))
    return scans


def _image_column(path: Path, columns: list[str], contrast: str) -> str:
    """Return the column that names the images. Raises ValueError if there is none."""
    for named in ("path", contrast.lower()):
        if named in columns:
            return named
    kinds = [c for c in columns if IMAGES.fullmatch(c)]
    own = [c for c in kinds if _plain(c) == _plain(contrast)]
    if own:
        return own[0]

    if kinds:
        raise ValueError(
            f"{path}: contrast={contrast} is not among its images, {', '.join(kinds)}: "
            "contrast=..., perhaps"
        )
    raise ValueError(
        f"{path}: the columns are {', '.join(columns) or 'none'}; `path` is needed, or a column "
        f"named after the contrast, {contrast}; {', '.join(COLUMNS[1:])} are read"
    )


def _scans(source: str, contrast: str, label_maps: bool) -> list[Scan]:
    path = local_path(source)
    if path.is_file() and path.suffix.lower() in {".csv", ".tsv"}:
        found = read_manifest(path, contrast)
    elif path.is_dir() and is_bids(path):
        found = list(bids_scans(path, contrast))
    elif path.is_dir():
        found = _from_folder(path, contrast, label_maps)
    elif path.exists() or path.is_symlink():
        found = [_from_name(path)]
    elif glob.has_magic(source):
        found = [_from_name(p) for p in volumes_matching(os.path.expanduser(source))]
    else:
        raise FileNotFoundError(f"{source}: no such file, folder or manifest")

    if not found and (path / "run.json").is_file():
        raise FileNotFoundError(
            f"{source}: was written by neuromf; give the scans that it was made from"
        )
    if not found and (dicom := first_dicom(path, source)):
        raise FileNotFoundError(
            f"{source}: holds DICOM ({dicom.name}, for example): {convert_dicom(path)}"
        )
    if not found:
        raise FileNotFoundError(
            f"{source}: no scan found ({', '.join(ENDINGS)}; in a BIDS tree "
            f"sub-*/**/anat/*_{contrast})"
        )

    return found


def _from_name(path: Path) -> Scan:
    """Return a scan whose subject and session are taken from its name: sub-01_ses-2_T1w, or
    everything but the contrast.
    """
    name = stem(path)
    match = NAMED.match(name)
    path = Path(os.path.abspath(path))
    if match:
        return Scan(str(path), match["subject"], match["session"] or "")
    return Scan(str(path), CONTRASTS.sub("", name) or name)


def _wanted(paths: list[Path], contrast: str, label_maps: bool) -> list[Path]:
    """Return the files that are named after a contrast or after none, without masks; or the label
    maps, which may have no name of the kind.
    """
    plain = {"", _plain(contrast)}
    if label_maps and any(MAPS.search(stem(p)) for p in paths):
        plain = {""}  # a T1w beside them is what they were made of
    return [
        p
        for p in paths
        if (label_maps and MAPS.search(stem(p)))
        or (_contrast(p) in plain and not LABELS.search(stem(p)))
    ]


def _from_folder(folder: Path, contrast: str, label_maps: bool = False) -> list[Scan]:
    """Return the scans below a folder, see `_wanted`."""
    paths = volumes_below(folder)
    wanted = _wanted(paths, contrast, label_maps)
    if paths and not wanted:
        found = ", ".join(sorted({_contrast(p) or "mask" for p in paths}))
        sought, advice = (
            ("label map", "their names end in _dseg, _seg, _aseg or _labels, or name no kind")
            if label_maps
            else (contrast, "contrast=..., perhaps")
        )
        raise FileNotFoundError(
            f"{folder}: no {sought} among {len(paths)} volumes ({found}): {advice}"
        )

    left_out = [p for p in paths if p not in set(wanted)]
    if left_out:
        log.warning(
            "%s: %d volumes of another contrast, or masks, are left out", folder, len(left_out)
        )
        for path in left_out:
            log.info("left out: %s", path)

    # A name without a contrast says nothing about it.
    scans = [replace(_from_name(p), contrast=contrast if _contrast(p) else "") for p in wanted]
    alike: dict[str, list[int]] = {}
    for index, scan in enumerate(scans):
        alike.setdefault(scan.full_name, []).append(index)
    for name, indices in alike.items():
        if len(indices) > 1 and not NAMED.match(
            name
        ):  # subject/T1.nii.gz: the folder names the subject
            parts = [wanted[i].relative_to(folder).with_name(name).parts for i in indices]
            for i, part in zip(indices, parts, strict=True):
                own = [
                    p for at, p in enumerate(part) if any(at >= len(o) or o[at] != p for o in parts)
                ]
                scans[i] = replace(scans[i], subject="_".join(own) or name)

    return scans


def _contrast(path: Path) -> str:
    """Return the contrast at the end of a file's name, in lower case without its w, empty
    if there is none.
    """
    match = CONTRASTS.search(stem(path))
    return _plain(match[1]) if match else ""


def _plain(contrast: str) -> str:
    name = contrast.lower().removesuffix("w")
    return {"mprage": "t1", "brain": ""}.get(name, name)


def _told_apart(scans: list[Scan]) -> list[Scan]:
    """Return the scans, a subject that several datasets have named after its dataset too."""
    datasets: dict[str, set[str]] = {}
    for scan in scans:
        datasets.setdefault(person(scan.subject), set()).add(scan.dataset)
    return [
        replace(s, subject=f"{s.dataset}_{s.subject}")
        if s.dataset and len(datasets[person(s.subject)]) > 1
        else s
        for s in scans
    ]


def _labelled(scans: list[Scan]) -> list[Scan]:
    """Return the scans, each with a label if its file name would be that of another subject or
    session, or a reserved one.

    A name that needs no change is kept: `a-b` beside `a b` and `a#b`. NAME_lesion is the name of a
    lesion mask.
    """
    names = [scan.name for scan in scans]
    whose: dict[str, set[tuple[str, str]]] = {}
    for scan, name in zip(scans, names, strict=True):
        whose.setdefault(person(name), set()).add((person(scan.subject), person(scan.session)))
    out = []
    for scan, name in zip(scans, names, strict=True):
        several = len(whose[person(name)]) > 1 and name != scan.full_name
        ours = person(name) in OURS or person(name).endswith("_lesion")
        needed = several or ours or len(scan.full_name.encode()) > LONGEST
        out.append(replace(scan, label=_digest(scan)) if needed else scan)
    return out


def _digest(scan: Scan) -> str:
    words = json.dumps([person(scan.subject), person(scan.session)])
    return hashlib.sha256(words.encode()).hexdigest()[:6]


def _from_row(folder: Path, row: dict[str, str]) -> Scan:
    path = Path(os.path.abspath(place_in(folder, row["path"])))
    named = _from_name(path)
    files = {k: os.path.abspath(place_in(folder, row[k])) for k in FILES if row.get(k)}
    known = {k: v for k, v in row.items() if v}
    return replace(named, **(known | files))
