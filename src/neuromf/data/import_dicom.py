"""`neuromf import-dicom`: DICOM folders to a BIDS tree that `prepare` reads."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from neuromf.data import bids
from neuromf.data.dicom_choice import choose, contrast_of, unusable
from neuromf.data.dicom_series import Series, age_of, convert
from neuromf.runtime.files import atomic, write_json, write_text
from neuromf.runtime.folders import COMMON, Output, local_path, written_down
from neuromf.runtime.run import open_run
from neuromf.runtime.shell import typed
from neuromf.runtime.tables import REJECTED, write_table

TABLES = ("series.csv", "rejected.csv")
WORK = ".dicom"  # what dcm2niix makes, until it is sorted
OUTPUT = Output(
    "import-dicom",
    (
        *("dataset_description.json", "participants.tsv", "README.md", ".bidsignore"),
        *TABLES,
        *("sub-*/anat/sub-*", "sub-*/ses-*/anat/sub-*"),
    ),
    loose=(f"{WORK}/**",),
)
# of dcm2niix's sidecar, what says nothing of a person
KEPT = (
    *("Modality", "MagneticFieldStrength", "Manufacturer", "ManufacturersModelName"),
    *("SeriesDescription", "ProtocolName", "ImageType", "SliceThickness", "EchoTime"),
    *("RepetitionTime", "InversionTime", "FlipAngle", "ScanningSequence", "SequenceVariant"),
    *("ImageOrientationPatientDICOM", "ConversionSoftware", "ConversionSoftwareVersion"),
)


@dataclass(frozen=True)
class ImportDicomConfig:
    """Where the DICOM files are, and which series are wanted."""

    input: str = ""  # a folder, searched recursively
    contrast: str = "T1w"  # T1w, T2w, FLAIR, PDw, SWI; ce-T1w after a contrast agent
    # a regular expression for `NUMBER DESCRIPTION`, in place of the contrast: '^4 ', 'mprage'; for
    # an echo '^4 .* e2$'
    series: str = ""
    # people are called by a hash of their ID, which can be inverted by trying IDs, or by the ID
    names: Literal["hash", "id"] = "hash"
    program: str = ""  # path of dcm2niix, if not on the PATH

    def __post_init__(self) -> None:
        try:
            re.compile(self.series)
        except re.error as error:
            raise ValueError(f"series is {self.series!r}: {error}") from None


def run(
    config: ImportDicomConfig, out: Path, *, resume: bool = False, overwrite: bool = False
) -> int:
    """Convert, choose one series for each session, write them as a BIDS tree, and return the number
    of sessions without one, see rejected.csv. series.csv lists every series.

    Raises FileNotFoundError for a folder that is not there, ValueError where dcm2niix is missing or
    none of the sessions has a series that fits, FileExistsError where a resumed run would leave
    scans of an earlier start that it has under other names, or not at all.
    """
    folder = local_path(config.input)
    if not config.input or not folder.is_dir():
        raise FileNotFoundError(f"input={config.input}: a folder of DICOM files is needed")
    with (
        open_run(out, config, OUTPUT, [config.input], resume=resume, overwrite=overwrite),
        emptied(out / WORK) as work,
    ):
        found = convert(folder, work, config.program)
        whose: dict[Path, str] = {}
        chosen, rejected = [], []
        for name, session in sessions(found, config.names):
            whose |= {one.file: name for one in session}
            series, why = choose(session, config.contrast, config.series)
            if series is None:
                rejected.append({"path": str(folder), "subject": name, "reason": why})
            else:
                chosen.append((name, series))

        refuse_left_over(out, [stem_of(name, config.contrast) for name, _ in chosen])
        taken = [series for _, series in chosen]
        write_table(out / "series.csv", [row(s, whose.get(s.file, ""), taken) for s in found])
        write_table(out / "rejected.csv", rejected, REJECTED)
        if not chosen:
            raise ValueError(f"{folder}: {rejected[0]['subject']}: {rejected[0]['reason']}")
        write_tree(out, chosen, config.contrast)

    then = typed("neuromf", "prepare", f"input={out}")
    print(f"{len(chosen)} sessions of {len(people(chosen))} people: {then}")
    for failed in rejected:
        print(f"{failed['subject']}: {failed['reason']}")
    return len(rejected)


@contextlib.contextmanager
def emptied(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that is removed at the end, or by the next start if this one is killed,
    because the sidecars in it say who was scanned.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sessions(
    found: Sequence[Series], names: Literal["hash", "id"]
) -> Iterator[tuple[str, list[Series]]]:
    """Yield each session's BIDS name, `sub-x` or `sub-x_ses-1` where a person has several, and its
    series. A study is a session; the earliest is the first. Series without a sidecar, whose
    person is not known, belong to none. Raises ValueError where two people have one label.
    """
    of_person: dict[str, dict[str, list[Series]]] = {}
    for series in found:
        if series.about:
            studies = of_person.setdefault(series.patient, {})
            studies.setdefault(series.study, []).append(series)

    labels: dict[str, str] = {}
    for patient, studies in of_person.items():
        subject = f"sub-{label(patient, names)}"
        if labels.setdefault(subject, patient) != patient:
            raise ValueError(
                f"the IDs {labels[subject]} and {patient} both become {subject}: names=hash"
            )
        in_order = sorted(studies.values(), key=_begun)
        for number, session in enumerate(in_order, start=1):
            yield (f"{subject}_ses-{number}" if len(in_order) > 1 else subject), session
    if not of_person:
        yield "sub-unknown", list(found)


def _begun(session: Sequence[Series]) -> str:
    return min((series.when for series in session if series.when), default="")


def label(patient: str, names: Literal["hash", "id"]) -> str:
    """Return the label of a person: letters and digits, as BIDS wants it.

    The hash is no anonymisation: hospital numbers are few, and hashing them all finds the ID.
    """
    if names == "id" and re.sub(r"[^A-Za-z0-9]", "", patient):
        return re.sub(r"[^A-Za-z0-9]", "", patient)
    return hashlib.sha256(patient.encode()).hexdigest()[:8]


def stem_of(name: str, contrast: str) -> str:
    """Return where the scan of a session lies in the tree, without its ending."""
    words = contrast.split("-")
    suffix = words[-1] if len(words) == 1 else f"ce-agent_{words[-1]}"
    return "/".join((*name.split("_"), "anat", f"{name}_{suffix}"))


def refuse_left_over(out: Path, stems: Sequence[str]) -> None:
    """Raise FileExistsError where the tree holds scans of an earlier start that this one does not
    write. A second study of a person gives both a session, one of an earlier date other numbers:
    one scan would be there under two names.
    """
    now = {f"{stem}{ending}" for stem in stems for ending in (".nii.gz", ".json")}
    earlier = [p for p in written_down(out) if p.startswith("sub-") and (out / p).is_file()]
    left = sorted(set(earlier) - now)
    if left:
        raise FileExistsError(
            f"{out}: {len(left)} files of an earlier start ({left[0]} first) are not among the "
            "scans of the DICOM folder as they are called now, or no series fits any more: start "
            "again with --overwrite, which converts no more than --resume does"
        )


def write_tree(out: Path, chosen: Sequence[tuple[str, Series]], contrast: str) -> None:
    """Write the chosen series, by BIDS name, with what is known of the people."""
    for name, series in chosen:
        place = out / stem_of(name, contrast)
        place.parent.mkdir(parents=True, exist_ok=True)
        with atomic(place.with_name(f"{place.name}.nii.gz")) as path:
            shutil.copyfile(series.file, path)
        kept = {key: series.about[key] for key in KEPT if key in series.about}
        write_json(place.with_name(f"{place.name}.json"), kept)

    rows = [
        "\t".join((who, age_of(s) or "n/a", str(s.about.get("PatientSex") or "n/a")))
        for who, s in people(chosen).items()
    ]
    write_text(out / "participants.tsv", "\n".join(["participant_id\tage\tsex", *rows, ""]))
    about = {"Name": out.name, "BIDSVersion": bids.VERSION, "DatasetType": "raw"}
    write_json(out / "dataset_description.json", about)
    write_text(out / ".bidsignore", "\n".join((*COMMON, *TABLES)) + "\n")
    write_text(out / "README.md", f"# {out.name}\n\nDICOM converted with dcm2niix.\n")


def people(chosen: Sequence[tuple[str, Series]]) -> dict[str, Series]:
    """Return the first chosen series of each person, by the person's name."""
    found: dict[str, Series] = {}
    for name, series in chosen:
        found.setdefault(name.split("_")[0], series)
    return found


def row(series: Series, session: str, chosen: Sequence[Series]) -> dict[str, Any]:
    """Return the row of series.csv for a series of a session (its BIDS name); not whom it shows."""
    return {
        "session": session,
        "number": series.number,
        "part": series.part,
        "description": series.description,
        "contrast": contrast_of(series),
        "shape": " ".join(map(str, series.shape)),
        "spacing_mm": " ".join(f"{s:.4g}" for s in series.spacing),
        "taken": "yes" if series in chosen else "no",
        "why_not": unusable(series),
    }
