"""A run's folder: made or refused, with what is needed to repeat the run, and files
that appear whole or not at all.
"""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from neuromf.runtime.config import ConfigError, load_record, to_yaml
from neuromf.runtime.fields import differences
from neuromf.runtime.files import write_json, write_text
from neuromf.runtime.folders import (
    DROPPINGS,
    REPLACED,
    START,
    TEMPORARY,
    Output,
    noting,
    refuse_foreign,
    refuse_inputs,
)
from neuromf.runtime.lock import lock
from neuromf.runtime.records import read_json_object
from neuromf.runtime.replacing import (
    refuse_held,
    remove_replaced,
    remove_start,
    remove_temporaries,
    say_kept,
    set_aside,
)

PACKAGES = ("neuromf", "torch", "monai", "numpy", "scipy", "omegaconf", "matplotlib", "safetensors")


class Stopped(Exception):  # noqa: N818 - no error
    """A run that was asked to stop and has saved everything; it ends with exit code 0."""


@contextlib.contextmanager
def open_run(
    out: Path,
    config: Any,
    output: Output,
    inputs: Iterable[Any] = (),
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Iterator[Path]:
    """Make the folder `out` with config.yaml, run.json (versions, git, seed, state) and
    run.log, for the body to fill.

    run.json says `running`, then `finished`, `interrupted` or `failed`; files.txt lists what is
    written, each file before it appears. With `overwrite` the files of an earlier run of the same
    verb are deleted when the body has ended well, not before.

    Raises FileExistsError if `out` is or contains one of `inputs` (with `overwrite` also if it
    lies in one); if another run is writing it; if it holds files and neither `resume` nor
    `overwrite` is given; if another verb, or no run of ours, made it; and, with `overwrite`, if it
    holds files that no run of the verb wrote, or other processes write folders below it. Raises
    ConfigError if a resumed run had another configuration.
    """
    if (out.exists() or out.is_symlink()) and not out.is_dir():
        what = "a file" if out.exists() else "a link that leads nowhere"
        raise FileExistsError(f"{out} is {what}: choose another folder with out=FOLDER")

    refuse_inputs(out, inputs, overwrite=overwrite)
    # refused before anything is touched
    before = _look(out, output, resume=resume, overwrite=overwrite)
    out.mkdir(parents=True, exist_ok=True)

    with lock(out):
        # again: another start may have been faster
        before = _look(out, output, resume=resume, overwrite=overwrite)
        _make_room(out, output, before, config, resume=resume, overwrite=overwrite)
        record = provenance() | {
            "verb": output.verb,
            "seed": getattr(config, "seed", None),
            "command": sys.argv,
            "state": "running",
            "overwrites": (out / REPLACED).is_dir(),
        }
        if before.record and resume:
            record["earlier"] = [*before.record.pop("earlier", []), before.record]
        write_json(out / "run.json", record)  # first: it makes the folder ours
        write_text(out / "config.yaml", to_yaml(config))
        with noting(out, output), _logged(out, record):
            yield out


class _Before(NamedTuple):
    """What was found in a folder."""

    names: frozenset[str]  # of its entries, the lock and what file browsers leave aside
    record: dict[str, Any]  # run.json, empty where the folder is empty

    @property
    def began(self) -> bool:
        """Whether the folder holds more than the files that every run writes at its start."""
        return not self.names <= START


def _look(out: Path, output: Output, *, resume: bool, overwrite: bool) -> _Before:
    """Return what is in the folder, or refuse it; nothing is changed."""
    found = {p.name for p in out.iterdir()} if out.is_dir() else set()
    passing = {".lock", *DROPPINGS}
    names = frozenset(name for name in found - passing if not TEMPORARY.match(name))
    if not names:
        return _Before(names, {})
    record = _own_record(out)
    if not (resume or overwrite or names <= START):
        raise FileExistsError(
            f"{out} is not empty: --resume continues, --overwrite "
            "starts again, or choose another out=FOLDER"
        )

    verb = record.get("verb", output.verb)  # earlier versions did not write it
    if verb != output.verb:
        raise FileExistsError(
            f"{out} was written by `neuromf {verb}`, not {output.verb}: choose another out=FOLDER"
        )

    return _Before(names, record)


def _make_room(
    out: Path, output: Output, before: _Before, config: Any, *, resume: bool, overwrite: bool
) -> None:
    """Set aside what is to be replaced, or check that the run can be resumed."""
    if not before.names:
        remove_temporaries(out)  # of a start that was killed before the folder was its own
        return
    if overwrite and before.began:
        refuse_foreign(out, output)
        refuse_held(out)
        set_aside(out)
        return
    if not resume:
        remove_start(out)
        return
    if (out / REPLACED).is_dir() and not before.record.get("overwrites"):
        raise FileExistsError(
            f"{out}: an earlier --overwrite was stopped as it began: start with --overwrite "
            f"again, or move the files in {out / REPLACED} back"
        )

    remove_temporaries(out)
    if (out / "config.yaml").is_file():
        earlier = (out / "config.yaml").read_text(encoding="utf-8", errors="replace")
        refuse_other_config(earlier, config, str(out))


class _RunLog(logging.FileHandler):
    """A run's log. A full disk is reported once, by the file that the run cannot write, and not
    again by every line of the log.
    """

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)


@contextlib.contextmanager
def _logged(out: Path, record: dict[str, Any]) -> Iterator[None]:
    """Write run.log while the body runs, and how it ended into run.json."""
    started = time.time()
    handler = _RunLog(out / "run.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("neuromf")
    log.setLevel(logging.INFO)
    log.addHandler(handler)

    try:
        yield
        remove_replaced(out)
    except BaseException as error:
        stopped = isinstance(error, KeyboardInterrupt | Stopped)
        _say_how_it_ended(log, error, stopped)
        say_kept(out)
        with contextlib.suppress(OSError):  # a full disk is told by the error that it caused
            _close_run(out, record, "interrupted" if stopped else "failed", started)
        raise
    else:
        _close_run(out, record, "finished", started)
    finally:
        log.removeHandler(handler)
        handler.close()


def _say_how_it_ended(log: logging.Logger, error: BaseException, stopped: bool) -> None:
    if stopped:
        log.warning("interrupted%s", f": {error}" if str(error) else "")
    else:
        log.error("stopped by %s: %s", type(error).__name__, error, exc_info=error)


def _close_run(out: Path, record: dict[str, Any], state: str, started: float) -> None:
    write_json(
        out / "run.json", record | {"state": state, "seconds": round(time.time() - started, 1)}
    )


def provenance() -> dict[str, Any]:
    """Return what is needed to repeat a run: versions, platform, time, git commit and
    whether the tree was changed.
    """
    versions = {name: _version(name) for name in PACKAGES}
    record: dict[str, Any] = {
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": platform.node(),
        "process": os.getpid(),
        "processors": os.cpu_count(),
        "versions": {name: version for name, version in versions.items() if version},
    }
    commit = _git("rev-parse", "HEAD")
    if commit and _git(
        "ls-files", Path(__file__).name
    ):  # an installed copy may lie in somebody else's checkout
        record["git"] = {"commit": commit, "changed": bool(_git("status", "--porcelain"))}

    return record


def _own_record(out: Path) -> dict[str, Any]:
    """Return run.json of a folder that a run made. Raises FileExistsError for any other."""
    try:
        record = read_json_object(out / "run.json")
        ours = "neuromf" in record["versions"] and isinstance(record["state"], str)
    except (OSError, ValueError, KeyError, TypeError):
        ours = False
    if not ours:
        raise FileExistsError(
            f"{out} holds files but no run.json of ours: choose another out=FOLDER"
        )
    return record


def refuse_other_config(before: str, config: Any, what: str) -> None:
    """Raise ConfigError where an earlier configuration, as YAML, differs in a key that
    a resumed run may not change. A key that the earlier version did not have counts as its default.
    """
    try:
        changed = differences(_completed(before, type(config)), to_yaml(config), type(config))
    except yaml.YAMLError as error:
        changed = [str(error).splitlines()[0]]
    if changed:
        raise ConfigError(
            f"{what} was started with another configuration ({'; '.join(changed[:4])}): repeat "
            "that one, or choose another out=FOLDER (a training then begins with start=MODEL); "
            "--overwrite replaces what is there"
        )


def _completed(before: str, schema: type[Any]) -> str:
    """Return an earlier configuration with the keys that it lacks; itself where it is of none of
    our versions.
    """
    try:
        return to_yaml(load_record(schema, before, ""))
    except ConfigError:
        return before


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str:
    """Return what git says of the checkout that this file lies in; empty where there is none."""
    try:
        result = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
