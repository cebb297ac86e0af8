"""Series of a DICOM folder, as dcm2niix converts them: one NIfTI file each, with what its headers
say.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib

PROGRAM = "dcm2niix"
FORMAT = "%s_%j"  # number and UID of the series: two of a folder never share a name
NAME = re.compile(r"(?P<number>\d+)(?:_[\d.]+)?_?(?P<part>.*)")  # what dcm2niix makes of it
INSTALL = "pip install 'neuromf[dicom]', or install dcm2niix and name it with program="
SECONDS = 3600


@dataclass(frozen=True)
class Series:
    """One converted series; texts are empty where the headers say nothing."""

    file: Path  # .nii.gz
    patient: str = ""
    study: str = ""  # its UID
    when: str = ""  # of the acquisition, ISO
    number: int = 0
    part: str = ""  # of its series, where dcm2niix makes several volumes of one: e2, an echo
    description: str = ""
    modality: str = ""
    image_type: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    spacing: tuple[float, ...] = ()  # mm
    contrast_agent: bool = False
    problem: str = ""  # why dcm2niix could not convert it whole
    about: Mapping[str, Any] = field(default_factory=dict)  # dcm2niix's sidecar

    @property
    def extent(self) -> tuple[float, ...]:
        """Size in mm along the three axes."""
        return tuple(n * s for n, s in zip(self.shape[:3], self.spacing[:3], strict=True))

    @property
    def told(self) -> str:
        """The series in words, for a list to choose from."""
        sizes = " x ".join(map(str, self.shape))
        voxels = " x ".join(f"{s:.3g}" for s in self.spacing[:3])
        part = f" {self.part}" if self.part else ""
        name = f"{self.number} {self.description or '(no description)'}{part}"
        return f"{name}: {sizes}, {voxels} mm"


def convert(folder: Path, into: Path, program: str = "") -> list[Series]:
    """Convert every series below a folder with dcm2niix into the folder `into`, and return them by
    patient, study and number. Raises ValueError where the program is missing or fails.
    """
    # its package puts it beside this Python, which need not be on the PATH
    beside = os.pathsep.join((os.environ.get("PATH", ""), str(Path(sys.executable).parent)))
    found = shutil.which(program or PROGRAM, path=beside)
    if found is None:
        raise ValueError(f"{program or PROGRAM} is not here: {INSTALL}")
    into.mkdir(parents=True, exist_ok=True)
    # -ba n: who and when are needed to tell people and sessions apart, and are not passed on
    command = [found, "-b", "y", "-ba", "n", "-z", "y", "-d", "9", "-f", FORMAT, "-o", str(into)]
    try:
        # what it says need not be UTF-8: descriptions and paths stand in it
        done = subprocess.run(
            [*command, str(folder)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ValueError(f"{found}: {error}") from None

    files = sorted(into.glob("*.nii.gz"))
    if not files:
        said = (done.stdout + done.stderr).strip().splitlines() or ["nothing was said"]
        raise ValueError(f"{folder}: dcm2niix made no volume of it: {said[-1]}")
    return sorted((read(f) for f in files), key=lambda s: (s.patient, s.study, s.number, s.part))


def read(file: Path) -> Series:
    """Return a converted series from its NIfTI file and the sidecar beside it."""
    name = file.name.removesuffix(".nii.gz")
    header = nib.load(file).header
    shape = tuple(int(n) for n in header.get_data_shape())
    spacing = tuple(float(s) for s in header.get_zooms()[:3])
    named = NAME.match(name)
    number, part = (int(named["number"]), named["part"]) if named else (0, "")
    about, problem = _sidecar(file.with_name(f"{name}.json"))
    if problem:
        return Series(file, number=number, part=part, shape=shape, spacing=spacing, problem=problem)

    study = str(about.get("StudyInstanceUID") or "")  # stands for a person without a name
    return Series(
        file=file,
        patient=str(about.get("PatientID") or about.get("PatientName") or study),
        study=study,
        when=str(about.get("AcquisitionDateTime") or ""),
        number=number,
        part=part,
        description=str(about.get("SeriesDescription") or about.get("ProtocolName") or ""),
        modality=str(about.get("Modality") or ""),
        image_type=tuple(map(str, about.get("ImageType") or ())),
        shape=shape,
        spacing=spacing,
        contrast_agent=any(key.startswith("ContrastBolus") for key in about),
        about=about,
    )


def _sidecar(path: Path) -> tuple[dict[str, Any], str]:
    """Return what a series' sidecar says, and why the series is unusable where it says nothing."""
    if not path.is_file():
        return {}, "slices are missing, or their distances differ: no volume"
    try:
        about = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except (ValueError, RecursionError) as error:
        return {}, f"{path.name}, its headers as dcm2niix wrote them, is no JSON ({error})"
    if not (isinstance(about, dict) and about):
        return {}, f"{path.name}, its headers as dcm2niix wrote them, says nothing"
    return about, ""


def age_of(series: Series) -> str:
    """Return the patient's age in years as text, empty where it is not known."""
    age = series.about.get("PatientAge")
    if isinstance(age, int | float) and math.isfinite(age):
        return f"{age:g}"
    match = re.fullmatch(r"0*(\d+)Y", str(age or ""))
    return match[1] if match else ""
