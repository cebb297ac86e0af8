"""The files that the paper's numbers come from: where they were given, and their SHA-256."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError

from neuromf.paper.config import PaperConfig, PaperSources
from neuromf.paper.missing import NOT_GIVEN, MissingError
from neuromf.runtime.checksums import file_sha256
from neuromf.runtime.config import load
from neuromf.runtime.folders import local_path
from neuromf.runtime.records import read_json_object

# what readers of JSON, YAML, CSV and safetensors raise for a file that is not what it should be
DAMAGE = (
    *(OSError, ValueError, KeyError, TypeError, IndexError, AttributeError),
    *(yaml.YAMLError, csv.Error, SafetensorError),
)
NO_PATHS = ("people",)  # keys of sources that name something else


@dataclass(frozen=True)
class Given:
    """A source as it was given: its key, the text, and where that is on this machine."""

    key: str
    text: str
    path: Path


@dataclass(frozen=True)
class Cited:
    """A file that was read: the source as given, the file within it, and its SHA-256."""

    key: str
    source: str
    file: str
    sha256: str

    @property
    def cells(self) -> dict[str, str]:
        """The last columns of every row of data."""
        return {"source": self.source, "file": self.file, "sha256": self.sha256}


class Sources:
    """The given runs, and the files of them that were read.

    Raises ConfigError for a file of sources with unknown keys, FileNotFoundError where it is not
    there.
    """

    def __init__(self, config: PaperConfig) -> None:
        self.people: tuple[str, ...] = config.people
        self.cited: dict[Path, Cited] = {}
        self._given: dict[str, list[Given]] = {}

        if config.sources:
            path = local_path(config.sources)
            if not path.is_file():
                raise FileNotFoundError(
                    f"sources={config.sources} is no file: give a YAML file of sources, as "
                    "benchmarks/results/paper/sources.yaml is one"
                )
            listed = load(PaperSources, [str(path)], "paper")
            self.people = self.people or listed.people
            self._add(listed, path.parent)
        self._add(config, Path())

    def _add(self, sources: PaperSources, base: Path) -> None:
        """Take the keys that are set, in place of those of before."""
        for key, texts in leaves(sources):
            paths = [local_path(text) for text in texts]
            pairs = zip(texts, paths, strict=True)
            if texts:
                self._given[key] = [Given(key, text, base / path) for text, path in pairs]

    def all(self, key: str) -> list[Given]:
        """Return the runs of a key. Raises MissingError where none is given."""
        if key not in self._given:
            raise MissingError(key, NOT_GIVEN)
        return self._given[key]

    def one(self, key: str) -> Given:
        """Return the run of a key. Raises MissingError where none is given."""
        return self.all(key)[0]

    def has(self, key: str) -> bool:
        """Return True if a run is given for a key."""
        return key in self._given

    @property
    def paths(self) -> list[str]:
        """All that is read, none of which the output may be."""
        return [str(given.path) for runs in self._given.values() for given in runs]

    def cite(self, given: Given, path: Path) -> Cited:
        """Return a file with its SHA-256, and remember that it was read."""
        if path not in self.cited:
            name = path.name
            with contextlib.suppress(ValueError):
                name = path.relative_to(given.path).as_posix()
            file = "" if path == given.path else name
            self.cited[path] = Cited(given.key, given.text, file, file_sha256(path))
        return self.cited[path]

    def record(self) -> list[dict[str, str]]:
        """Return every file that was read, as sources.json lists them."""
        return [asdict(cited) for cited in self.cited.values()]


def leaves(sources: PaperSources) -> Iterator[tuple[str, list[str]]]:
    """Yield the keys of sources, dotted, with the paths that they hold."""
    nested = {
        f"studies.{f.name}": getattr(sources.studies, f.name) for f in fields(sources.studies)
    }
    plain = {f.name: getattr(sources, f.name) for f in fields(PaperSources)}
    for key, value in (plain | nested).items():
        if key not in (*NO_PATHS, "studies"):
            listed = [value] if isinstance(value, str) else list(value)
            yield key, [text for text in listed if text]


@contextlib.contextmanager
def reading(given: Given) -> Iterator[None]:
    """Turn what a damaged source raises into a MissingError that says why."""
    try:
        yield
    except MissingError:
        raise
    except DAMAGE as error:
        lines = str(error).splitlines()
        why = f"{type(error).__name__} {error}" if isinstance(error, KeyError) else ""
        raise MissingError(given.key, why or (lines or [type(error).__name__])[0]) from None


def finished_run(given: Given, *verbs: str) -> dict[str, Any]:
    """Return run.json of a finished run of one of the verbs.

    Raises MissingError for a folder that is no run, one of another verb, or one that was killed.
    """
    if not given.path.is_dir():
        raise MissingError(given.key, f"{given.text} is no folder")
    if not (given.path / "run.json").is_file():
        raise MissingError(given.key, f"{given.text} is no run: it holds no run.json")

    with reading(given):
        record = read_json_object(given.path / "run.json")
    verb, state = record.get("verb"), record.get("state")
    if verb not in verbs:
        by = f"`neuromf {verb}`" if verb else "an earlier version"
        wanted = " or ".join(verbs)
        raise MissingError(given.key, f"{given.text} was written by {by}, not by {wanted}")
    if state != "finished":
        raise MissingError(given.key, f"{given.text} is not finished: run.json says {state}")
    return record
