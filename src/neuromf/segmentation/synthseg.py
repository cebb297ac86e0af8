"""Volumes of brain structures by SynthSeg (Billot 2023), an external program:
FreeSurfer's mri_synthseg.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neuromf.data.volume import stem

PROGRAM = "mri_synthseg"
VENTRICLES = ("lateral ventricle", "inferior lateral ventricle", "3rd ventricle", "4th ventricle")
FAILED_QC = 0.65  # a structure's score below which SynthSeg's authors reject a segmentation


class SynthSegError(ValueError):
    """SynthSeg is missing, or ended without a result."""


@dataclass(frozen=True)
class SynthSegConfig:
    """How mri_synthseg is called."""

    program: str = ""  # path of mri_synthseg, if not on the PATH
    arguments: tuple[str, ...] = ("--robust",)  # further arguments for it, --parc for example
    gpu: bool = False
    threads: int = 2
    timeout: float = 86_400  # seconds per set

    def __post_init__(self) -> None:
        if self.threads < 1 or not self.timeout > 0:
            raise ValueError(
                f"synthseg.threads {self.threads}, synthseg.timeout "
                f"{self.timeout}: 1 or more, above 0"
            )

    def found(self) -> str:
        """Return the path of the program. Raises SynthSegError if it is missing."""
        name = self.program or PROGRAM
        program = shutil.which(name)
        if program is None:
            raise SynthSegError(
                f"morphology=synthseg: {name} is not to be found: install FreeSurfer 7.4 or "
                "newer, set synthseg.program=/path/to/it, or take morphology=tissue"
            )
        return program


@dataclass(frozen=True)
class Parcellation:
    """Volumes of one brain's structures in ml, left and right together, and SynthSeg's own
    quality scores.
    """

    ml: dict[str, float]
    quality: dict[str, float]

    @property
    def passed(self) -> bool:
        """Return True if every score is above the limit; also if there are no scores."""
        return all(score >= FAILED_QC for score in self.quality.values())


def synthseg(files: Sequence[Path], folder: Path, config: SynthSegConfig) -> list[Parcellation]:
    """Run SynthSeg once over all files and return their structures, in order; label maps and tables
    stay in `folder`.

    Raises SynthSegError if the program is missing, fails, takes too long or leaves a file out.
    """
    program = config.found()
    scans = folder / "scans"
    shutil.rmtree(scans, ignore_errors=True)
    scans.mkdir(parents=True)
    names = [f"{number:06d}" for number in range(len(files))]
    for name, file in zip(names, files, strict=True):
        os.symlink(file.resolve(), scans / f"{name}{file.name.removeprefix(stem(file))}")
    volumes, quality = folder / "volumes.csv", folder / "qc.csv"
    command = [
        program,
        "--i",
        str(scans),
        "--o",
        str(folder / "labels"),
        "--vol",
        str(volumes),
        "--qc",
        str(quality),
    ]
    command += [
        "--threads",
        str(config.threads),
        *([] if config.gpu else ["--cpu"]),
        *config.arguments,
    ]

    try:
        # what a program says need not be UTF-8
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=config.timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SynthSegError(
            f"{program} took longer than synthseg.timeout={config.timeout:g} s"
        ) from None

    if done.returncode or not volumes.is_file():
        said = (
            " / ".join((done.stderr or done.stdout).strip().splitlines()[-3:]) or "it said nothing"
        )
        raise SynthSegError(f"{program} ended with status {done.returncode}: {said}")

    sizes = read_table(volumes)
    scores = read_table(quality) if quality.is_file() else {}
    missing = [str(file) for name, file in zip(names, files, strict=True) if name not in sizes]
    if missing:
        raise SynthSegError(
            f"{program} left out {len(missing)} of {len(files)} volumes, {missing[0]} first"
        )

    return [Parcellation(both_sides(sizes[name]), scores.get(name, {})) for name in names]


def read_table(path: Path) -> dict[str, dict[str, float]]:
    """Return a table of SynthSeg's, subject -> column -> number; its first column
    names the subject.
    """
    with path.open(newline="", encoding="utf-8") as stream:
        header, *rows = [row for row in csv.reader(stream) if row]
    table = {}
    for row in rows:
        numbers = {
            k.strip().lower(): float(v)
            for k, v in zip(header[1:], row[1:], strict=True)
            if v.strip()
        }
        table[re.sub(r"\.(nii|nii\.gz|mgz)$", "", row[0])] = numbers
    return table


def both_sides(mm3: dict[str, float]) -> dict[str, float]:
    """Return structures in ml, left and right added, with all ventricles as one more."""
    ml: dict[str, float] = {}
    for name, size in mm3.items():
        plain = re.sub(r"^(ctx-[lr]h-|left[ -]|right[ -])", "", name)
        ml[plain] = ml.get(plain, 0.0) + size / 1000
    known = [ml[name] for name in VENTRICLES if name in ml]
    return ml | ({"ventricles": sum(known)} if known else {})
