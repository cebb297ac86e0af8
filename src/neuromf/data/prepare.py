"""`neuromf prepare`: scans to prepared volumes, in parallel; scans that cannot be used are listed
with the reason.
"""

from __future__ import annotations

import functools
import logging
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from neuromf.data.cohort import COHORT_FILES, finish_cohort, save_entry, saved_record
from neuromf.data.files import convert_dicom, is_dicom, written_by_us
from neuromf.data.intensity import SPREAD, data_set_medians
from neuromf.data.preprocess import Preprocessing, preprocess
from neuromf.data.reading import read_volume
from neuromf.data.scan import Scan
from neuromf.data.scans import find_scans
from neuromf.data.splits import SPLITS, Split, SplitConfig, person, spellings
from neuromf.data.volume import VolumeError, stem, volume_sha256
from neuromf.runtime.fields import key
from neuromf.runtime.files import stop_if_disk, write_json
from neuromf.runtime.folders import Output
from neuromf.runtime.parallel import each
from neuromf.runtime.progress import progress
from neuromf.runtime.run import open_run
from neuromf.runtime.tables import REJECTED, write_table

log = logging.getLogger("neuromf")
T1 = ("t1w", "t1", "mprage")
FEWEST_HELD_OUT = 5  # held-out volumes below which evaluation gives no intervals
OUTPUT = Output("prepare", COHORT_FILES)


@dataclass(frozen=True)
class PrepareConfig:
    """Where the scans are, what they go through, how they are split."""

    input: Any = ""  # a file, folder, glob, CSV/TSV manifest or BIDS tree, or a list of them
    contrast: str = "T1w"  # of a BIDS tree, as its file names have it
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
    inputs = [config.input, [file for scan in scans for file in (scan.path, scan.mask)]]
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
    """Prepare one scan and return its record; an existing volume of the same
    source file is kept.
    """
    path = Path(scan.path)
    if not path.exists():
        raise VolumeError(
            f"{path}: no such file"
            if not path.is_symlink()
            else f"{path}: the link leads nowhere, or in a circle"
        )
    if is_dicom(path):
        raise VolumeError(f"{path}: is DICOM: {convert_dicom(path)}")
    _refuse_prepared(path)
    named = replace(scan, dataset=scan.dataset or config.dataset)
    if scan.mask and not Path(scan.mask).is_file():
        raise VolumeError(f"{scan.mask}: no such mask file")
    files = [
        path,
        *([path.with_suffix(".img")] if path.suffix == ".hdr" else []),
        *([Path(scan.mask)] if scan.mask else []),
    ]
    sources = [volume_sha256(file) for file in files if file.is_file()]
    known = saved_record(out, scan.name, {"strip": dict, "intensity": dict})
    if known and known.get("source_sha256") == sources:
        # the table may say more about the subject by now
        write_json(out / f"{scan.name}.json", known | named.row())
        return known | named.row()
    volume, record = preprocess(
        read_volume(path, config.assume_orientation), config.preprocessing, scan.mask
    )
    return save_entry(out, named, volume, {"source_sha256": sources} | record)


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


def _harmonised(records: list[dict[str, Any]]) -> str:
    if all(record["intensity"]["scaled_to"] == "percentile" for record in records):
        return "preprocessing.intensity=grey-white brings T1w closer together"
    return "what is left is how they differ in contrast and in fluid"


def _few_held_out(people: int) -> str:
    """Return a warning if there are few held-out people, with the share that would suffice."""
    share = math.ceil(100 * FEWEST_HELD_OUT / people) / 100
    meaning = f"below {FEWEST_HELD_OUT} volumes an evaluation gives figures without intervals"
    if share > 0.5:
        return (
            f"{meaning}; {people} people are too few to hold "
            f"{FEWEST_HELD_OUT} out and to train: add scans"
        )
    return (
        f"{meaning}; split.test={share:g} in a new folder holds "
        f"{math.ceil(share * people)} of {people} people out"
    )


def reason(error: Exception) -> str:
    """Return the reason of a scan's failure as one line, with the kind of error unless it
    is one of ours.
    """
    text = " ".join(str(error).split())
    return text if isinstance(error, VolumeError) else f"{type(error).__name__}: {text}"


def report(
    out: Path,
    records: list[dict[str, Any]],
    duplicates: list[tuple[Scan, str]],
    rejected: list[tuple[Scan, str]],
    splits: dict[str, Split],
    shares: SplitConfig,
) -> None:
    """Print what was done."""
    people = {person(subject): split for subject, split in splits.items()}
    counts: dict[str, int] = {name: list(people.values()).count(name) for name in SPLITS}
    dealt = ", ".join(f"{n} {name}" for name, n in counts.items())
    print(
        f"{len(records)} volumes of {len(people)} subjects ({dealt}) in {out}; look at "
        f"{out / 'contact.png'}"
    )
    methods = [
        r["strip"]["method"] if not r["strip"].get("stripped_already") else "stripped already"
        for r in records
    ]
    print("brains: " + ", ".join(f"{methods.count(m)} {m}" for m in dict.fromkeys(methods)))
    empty = [
        name
        for name, share in (("val", shares.val), ("test", shares.test))
        if share and not counts[name]
    ]
    if empty:
        print(
            "too few subjects for a share of "
            f"{' and '.join(empty)}: split.{empty[0]}=0.5, for example"
        )
    if shares.test and counts["test"] < FEWEST_HELD_OUT:
        print(f"{counts['test']} test: {_few_held_out(len(people))}")
    medians = data_set_medians(records)
    if len(medians) > 1 and max(medians.values()) - min(medians.values()) >= SPREAD:
        found = ", ".join(f"{name} {median:.2f}" for name, median in medians.items())
        print(
            f"data sets differ in their median intensity in the brain: {found}; "
            f"{_harmonised(records)}"
        )
    noted = sum(bool(r["notes"]) for r in records)
    if noted:
        print(f"{noted} with a note: see run.log, or `notes` in their .json")
    for names in spellings(splits):
        print(f"{', '.join(names)}: taken for one person (capitals make no difference)")
    files: dict[str, list[str]] = {}
    for record in records:
        files.setdefault(str(record["source_sha256"][0]), []).append(str(record["name"]))
    twins = [names for names in files.values() if len(names) > 1]
    if twins:
        print(
            f"one file under several names: {', '.join(sorted(twins[0]))}: one person? "
            f"({len(twins)} such files)"
        )
    if duplicates:
        print(
            f"{len(duplicates)} left out as second scans of a subject and session: see "
            f"{out / 'rejected.csv'}"
        )
    if rejected:
        print(f"{len(rejected)} rejected: see {out / 'rejected.csv'}; the first: {rejected[0][1]}")
