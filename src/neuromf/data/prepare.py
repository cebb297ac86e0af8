"""`neuromf prepare`: scans to prepared volumes, in parallel; scans that cannot be used are listed
with the reason.
"""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from neuromf.data.cohort import COHORT_FILES, finish_cohort, save_entry, saved_record
from neuromf.data.files import convert_dicom, is_dicom, written_by_us
from neuromf.data.lesions import prepare_lesion, read_scan_lesion
from neuromf.data.preprocess import Preprocessing, preprocess, preprocess_with_brain
from neuromf.data.reading import read_volume
from neuromf.data.resample import grid_of
from neuromf.data.scan import Scan
from neuromf.data.scans import find_scans
from neuromf.data.splits import SplitConfig, person
from neuromf.data.summary import report
from neuromf.data.volume import Volume, VolumeError, stem, volume_sha256
from neuromf.runtime.fields import key
from neuromf.runtime.files import stop_if_disk, write_json
from neuromf.runtime.folders import Output
from neuromf.runtime.parallel import each
from neuromf.runtime.progress import progress
from neuromf.runtime.run import open_run
from neuromf.runtime.tables import REJECTED, write_table

log = logging.getLogger("neuromf")
T1 = ("t1w", "t1", "mprage")
OUTPUT = Output("prepare", COHORT_FILES)


@dataclass(frozen=True)
class PrepareConfig:
    """Where the scans are, what they go through, how they are split."""

    input: Any = ""  # a file, folder, glob, CSV/TSV manifest or BIDS tree, or a list of them
    contrast: str = "T1w"  # of a BIDS tree, as its file names have it; a table's column of images
    dataset: str = ""  # the name of the cohort, if the input does not say
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    assume_orientation: str = ""  # axis codes such as LAS, for headers without qform and sform
    split: SplitConfig = field(default_factory=SplitConfig)
    workers: int = key(0, free=True)  # processes; 0 is one per core

    def __post_init__(self) -> None:
        codes = self.assume_orientation.upper()
        if codes and sorted({"L": "R", "P": "A", "I": "S"}.get(c, c) for c in codes) != [
            "A",
            "R",
            "S",
        ]:
            raise ValueError(
                f"assume_orientation is {self.assume_orientation!r}: "
                "three axis codes such as RAS or LPI"
            )
        if self.preprocessing.intensity != "percentile" and self.contrast.lower() not in T1:
            raise ValueError(
                f"contrast is {self.contrast}, "
                f"preprocessing.intensity={self.preprocessing.intensity}: white matter is "
                "brightest in T1w alone: preprocessing.intensity=percentile takes others"
            )
        if self.workers < 0:
            raise ValueError(f"workers is {self.workers}: 0 (one a core) or more")

    def sources(self) -> list[str]:
        """Return the inputs. Raises ValueError if there are none."""
        given = self.input if isinstance(self.input, list | tuple) else [self.input]
        sources = [str(s) for s in given if s not in ("", None)]
        if not sources:
            raise ValueError(
                "input= is empty: a file, folder, glob, CSV/TSV "
                "manifest or BIDS tree, or a list of them"
            )
        return sources


def run(config: PrepareConfig, out: Path, *, resume: bool = False, overwrite: bool = False) -> int:
    """Prepare every scan into `out` and return the number that could not be used, see rejected.csv.

    Second scans of a subject and session are listed there too, but do not count as failures.
    """
    scans = find_scans(config.sources(), config.contrast)
    config.preprocessing.strip.check()
    inputs = [config.input, [f for s in scans for f in (s.path, s.mask, s.lesion)]]
    with open_run(out, config, OUTPUT, inputs, resume=resume, overwrite=overwrite):
        records: list[dict[str, Any]] = []
        rejected: list[tuple[Scan, str]] = []
        duplicates: list[tuple[Scan, str]] = []
        while scans:  # again for the second scans of those whose first could not be used
            first, others = without_duplicates(scans)
            made, failed = prepare_all(first, config, out)
            records += made
            rejected += failed
            open_names = {person(scan.name) for scan, _ in failed}
            scans = [scan for scan, _ in others if person(scan.name) in open_names]
            duplicates += [
                (scan, why) for scan, why in others if person(scan.name) not in open_names
            ]
        write_table(
            out / "rejected.csv",
            [
                {"path": s.path, "subject": s.subject, "reason": why}
                for s, why in duplicates + rejected
            ],
            REJECTED,
        )
        if not records:
            raise VolumeError(
                f"none of {len(rejected)} scans could be prepared; the first: {rejected[0][1]}"
            )
        splits = finish_cohort(out, records, config.split)
        report(out, records, duplicates, rejected, splits, config.split)
    return len(rejected)


def prepare_all(
    scans: list[Scan], config: PrepareConfig, out: Path
) -> tuple[list[dict[str, Any]], list[tuple[Scan, str]]]:
    """Prepare scans in parallel; return the records, and the scans that could not be used,
    with the reason.
    """
    records: list[dict[str, Any]] = []
    rejected: list[tuple[Scan, str]] = []
    with progress("scans") as bar:
        task = bar.add_task("prepare", total=len(scans))
        for scan, outcome in each(
            functools.partial(prepare_scan, config=config, out=out), scans, config.workers
        ):
            bar.advance(task)
            stop_if_disk(outcome)
            if isinstance(outcome, Exception):
                rejected.append((scan, reason(outcome)))
                log.warning("%s rejected: %s", scan.path, reason(outcome))
                continue
            records.append(outcome)
            for note in outcome["notes"]:
                log.warning("%s: %s", scan.path, note)
    return records, rejected


def prepare_scan(scan: Scan, config: PrepareConfig, out: Path) -> dict[str, Any]:
    """Prepare one scan, and its lesion mask if it has one, and return its record; an existing
    volume of the same source files is kept.
    """
    refuse_unusable(scan)
    named = replace(scan, dataset=scan.dataset or config.dataset)
    sources = {"source_sha256": [*hashes(scan.path), *hashes(scan.mask)]}
    if scan.lesion:
        sources["lesion_source_sha256"] = hashes(scan.lesion)

    kinds = {"strip": dict, "intensity": dict} | ({"lesion_ml": float} if scan.lesion else {})
    known = saved_record(out, scan.name, kinds)
    if known and all(
        known.get(k, []) == sources.get(k, []) for k in ("source_sha256", "lesion_source_sha256")
    ):
        # the table may say more about the subject by now
        write_json(out / f"{scan.name}.json", known | named.row())
        return known | named.row()

    volume, record, lesion = prepare_files(scan, config)
    return save_entry(out, named, volume, sources | record, lesion)


def prepare_files(
    scan: Scan, config: PrepareConfig
) -> tuple[Volume, dict[str, Any], Volume | None]:
    """Return a scan's prepared volume, the record of every step, and its lesion mask on the same
    grid, None if it has none. Raises VolumeError if either cannot be used.
    """
    codes = config.assume_orientation
    whole = read_volume(Path(scan.path), codes)
    if not scan.lesion:
        return *preprocess(whole, config.preprocessing, scan.mask, codes), None

    lesion = read_scan_lesion(Path(scan.lesion), whole, codes)
    volume, record, brain = preprocess_with_brain(whole, config.preprocessing, scan.mask, codes)
    mask, of_lesion = prepare_lesion(lesion, brain, grid_of(volume))
    notes = [*record["notes"], *of_lesion.pop("lesion_notes")]
    return volume, record | of_lesion | {"notes": notes}, mask


def refuse_unusable(scan: Scan) -> None:
    """Raise VolumeError for a scan whose files are missing, DICOM or prepared already."""
    path = Path(scan.path)
    if scan.problem:
        raise VolumeError(scan.problem)
    if not path.exists():
        raise VolumeError(
            f"{path}: no such file"
            if not path.is_symlink()
            else f"{path}: the link leads nowhere, or in a circle"
        )
    if is_dicom(path):
        raise VolumeError(f"{path}: is DICOM: {convert_dicom(path)}")

    _refuse_prepared(path)
    for file, kind in ((scan.mask, "mask"), (scan.lesion, "lesion mask")):
        if file and not Path(file).is_file():
            raise VolumeError(f"{file}: no such {kind} file")


def hashes(file: str) -> list[str]:
    """Return the SHA-256 of a file, and of the .img beside a .hdr; none for an empty name."""
    path = Path(file)
    files = [path, *([path.with_suffix(".img")] if path.suffix == ".hdr" else [])]
    return [volume_sha256(p) for p in files if file and p.is_file()]


def _refuse_prepared(path: Path) -> None:
    """Raise VolumeError for a volume that a run wrote: it has been prepared already."""
    if not written_by_us(path.parent):
        return
    source = (saved_record(path.parent, stem(path)) or {}).get("path", "")
    raise VolumeError(
        f"{path}: was written by neuromf and is prepared "
        "already: give the scan that it was made from"
        + (f", {source}" if source else "")
        + "; or move it to a folder of its own"
    )


def without_duplicates(scans: list[Scan]) -> tuple[list[Scan], list[tuple[Scan, str]]]:
    """Return the first scan of each subject and session, and the others with the reason why
    they are left out.
    """
    kept: dict[str, Scan] = {}
    left_out = []
    for scan in scans:
        key = person(scan.name)  # file systems differ in what they tell apart
        if key in kept:
            why = (
                f"same subject and session as {kept[key].path}: "
                "give a CSV table with a `session` column"
            )
            left_out.append((scan, why))
        else:
            kept[key] = scan
    return list(kept.values()), left_out


def reason(error: Exception) -> str:
    """Return the reason of a scan's failure as one line, with the kind of error unless it
    is one of ours.
    """
    text = " ".join(str(error).split())
    return text if isinstance(error, VolumeError) else f"{type(error).__name__}: {text}"
