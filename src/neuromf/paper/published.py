"""Figures that others published, from published.yaml: each with its reference and the place where
it was read; and the references as BibTeX.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import yaml

from neuromf.paper.sources import Cited
from neuromf.runtime.checksums import file_sha256
from neuromf.runtime.records import as_record
from neuromf.study.latex import escaped

FILE = "published.yaml"
ACCENTS = {"ì": r"{\`i}", "é": r"{\'e}", "ü": r"{\"u}", "ö": r"{\"o}", "ä": r"{\"a}"}


@dataclass(frozen=True)
class Reference:
    """A paper."""

    kind: str  # of BibTeX
    title: str
    authors: tuple[str, ...]
    venue: str
    year: int
    arxiv: str
    doi: str = ""


@dataclass(frozen=True)
class Model:
    """What a paper, or its authors' repository, says of one model; None was not found."""

    name: str
    cite: str  # key of a reference
    data: str
    where: str  # table or section
    read: str  # where it was read
    not_found: str
    fid: float | None = None
    network: str | None = None  # whose features the FID is of
    n: int | None = None
    ssim: float | None = None
    ms_ssim: float | None = None
    nfe: str | None = None
    seconds: str | None = None
    hardware: str | None = None


@dataclass(frozen=True)
class Curve:
    """A published metric over the number of network calls."""

    name: str
    cite: str
    measure: str
    nfe: tuple[int, ...]
    fid: tuple[float, ...]
    where: str
    read: str

    def __post_init__(self) -> None:
        if len(self.nfe) != len(self.fid):
            raise ValueError(f"{self.name}: {len(self.nfe)} numbers of calls, {len(self.fid)} FID")


@dataclass(frozen=True)
class Published:
    """All of published.yaml."""

    references: dict[str, Reference]
    models: tuple[Model, ...]
    curves: tuple[Curve, ...]

    def __post_init__(self) -> None:
        cited = {model.cite for model in self.models} | {curve.cite for curve in self.curves}
        unknown = cited - self.references.keys()
        if unknown:
            raise ValueError(f"no reference has the key {', '.join(sorted(unknown))}")


def published_path() -> Path:
    """Return the file in the package."""
    return Path(str(resources.files("neuromf.paper") / FILE))


def read_published(path: Path | None = None) -> tuple[Published, Cited]:
    """Return what others published, and the file with its SHA-256. Raises RecordError for a file
    that is not what it should be.
    """
    path = path or published_path()
    record = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = as_record(record, Published, str(path))
    return found, Cited("published", "neuromf/paper", path.name, file_sha256(path))


def bibtex(references: dict[str, Reference]) -> str:
    """Return the references as a .bib file."""
    return "\n".join(_entry(key, reference) for key, reference in references.items())


def _entry(key: str, reference: Reference) -> str:
    place = "booktitle" if reference.kind == "inproceedings" else "journal"
    fields = {
        "title": f"{{{_accented(reference.title)}}}",  # braces keep capitals
        "author": " and ".join(_accented(author) for author in reference.authors),
        place: _accented(reference.venue),
        "year": str(reference.year),
        "note": f"arXiv:{reference.arxiv}",
    }
    fields |= {"doi": reference.doi} if reference.doi else {}
    lines = ",\n".join(f"  {name} = {{{text}}}" for name, text in fields.items())
    return f"@{reference.kind}{{{key},\n{lines}\n}}\n"


def _accented(text: str) -> str:
    return "".join(ACCENTS.get(letter, letter) for letter in escaped(text))
