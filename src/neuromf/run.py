"""A run's folder: made or refused, with what is needed to repeat the run, and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import difflib
import errno
import json
import logging
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from neuromf.config import ConfigError, to_yaml

PACKAGES = ("neuromf", "torch", "monai", "numpy", "scipy", "omegaconf", "matplotlib", "safetensors")
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # full, over quota, read-only
FREE = ("workers:", "'n':", "loaders:")  # what a resumed run may change: how fast, how many
START = {"config.yaml", "run.json", "run.log"}  # what a run writes before it has done anything


class Stopped(Exception):  # noqa: N818 - no error
    """A run that was asked to stop and has saved everything; it ends with exit code 0."""


@contextlib.contextmanager
def open_run(out: Path, config: Any, *, resume: bool = False, overwrite: bool = False) -> Iterator[Path]:
    """Make the folder `out` with config.yaml, run.json (versions, git, seed, state) and run.log, for the body to fill.

    run.json says `running`, then `finished` or `failed`. Raises FileExistsError where `out` holds files and neither
    `resume` nor `overwrite` is asked for, ConfigError where a resumed run had another configuration; only a folder that
    this function made can be overwritten.
    """
    text = to_yaml(config)
    earlier = _prepare_folder(out, text, resume=resume, overwrite=overwrite)
    record = provenance() | {"seed": getattr(config, "seed", None), "command": sys.argv, "state": "running"}
    if earlier:
        record["earlier"] = earlier
    write_json(out / "run.json", record)  # first: it makes the folder ours
    write_text(out / "config.yaml", text)
    started = time.time()
    handler = logging.FileHandler(out / "run.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("neuromf")
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    state = "failed"
    try:
        yield out
        state = "finished"
    except (KeyboardInterrupt, Stopped) as reason:
        state = "interrupted"
        log.warning("interrupted%s", f": {reason}" if str(reason) else "")
        raise
    except BaseException as error:
        log.error("stopped by %s: %s", type(error).__name__, error, exc_info=True)
        raise
    finally:
        log.removeHandler(handler)
        handler.close()
        write_json(out / "run.json", record | {"state": state, "seconds": round(time.time() - started, 1)})


def provenance() -> dict[str, Any]:
    """Return what is needed to repeat a run: versions, platform, time, git commit and whether the tree was changed."""
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
    if commit and _git("ls-files", Path(__file__).name):  # an installed copy may lie in somebody else's checkout
        record["git"] = {"commit": commit, "changed": bool(_git("status", "--porcelain"))}
    return record


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: a temporary name beside it, then a rename."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=1) + "\n")


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary name of the same ending, which becomes `path` if the body ends well and is removed if not."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not say where
        raise
    finally:
        temporary.unlink(missing_ok=True)


def stop_if_disk(outcome: Any) -> None:
    """Raise `outcome` if it is an error of the disk written to: no item's fault, so the run stops, and can go on
    later.
    """
    if isinstance(outcome, OSError) and outcome.errno in DISK:
        raise outcome


def _prepare_folder(out: Path, text: str, *, resume: bool, overwrite: bool) -> list[dict[str, Any]]:
    """Make or empty the folder, or refuse; return the records of earlier starts that a resumed run goes on from."""
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} is a file: choose another folder with out=FOLDER")
    earlier: list[dict[str, Any]] = []
    if out.is_dir() and any(out.iterdir()):
        if not (resume or overwrite or {p.name for p in out.iterdir()} <= START):
            raise FileExistsError(
                f"{out} is not empty: --resume continues, --overwrite starts again, or choose another out=FOLDER"
            )
        record = _own_record(out)
        if overwrite or (not resume and {p.name for p in out.iterdir()} <= START):
            doomed = out.with_name(f".{out.name}.{os.getpid()}.deleted")
            out.rename(doomed)  # gone at once, even if deleting is interrupted
            shutil.rmtree(doomed)
        else:
            before = (out / "config.yaml").read_text(encoding="utf-8") if (out / "config.yaml").is_file() else text
            refuse_other_config(before, text, str(out))
            earlier = [*record.pop("earlier", []), record]
    out.mkdir(parents=True, exist_ok=True)
    return earlier


def _own_record(out: Path) -> dict[str, Any]:
    """Return run.json of a folder that a run made and none is writing. Raises FileExistsError otherwise."""
    try:
        record = json.loads((out / "run.json").read_text(encoding="utf-8"))
        ours = "neuromf" in record["versions"] and "state" in record
    except (OSError, ValueError, KeyError, TypeError):
        ours = False
    if not ours:
        raise FileExistsError(f"{out} holds files but no run.json of ours: choose another out=FOLDER")
    alive = record.get("host") == platform.node() and psutil.pid_exists(record.get("process", -1))
    if record["state"] == "running" and alive and record["process"] != os.getpid():
        raise FileExistsError(
            f"{out} is being written by process {record['process']}: wait for it, or choose another out=FOLDER"
        )
    return record


def refuse_other_config(before: str, now: str, what: str) -> None:
    """Raise ConfigError where a configuration as YAML differs from an earlier one in more than the FREE keys."""
    changed = [line for line in difflib.ndiff(before.splitlines(), now.splitlines()) if line[0] in "-+"]
    changed = [line for line in changed if not line[2:].startswith(FREE)]
    if changed:
        shown = "; ".join(" ".join(line.split()) for line in changed[:4])
        raise ConfigError(
            f"{what} was started with another configuration ({shown}): repeat that one, or choose another out=FOLDER "
            "(a training then begins with start=MODEL); --overwrite deletes what is there"
        )


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
