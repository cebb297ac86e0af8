"""A run: its resolved configuration, and the folder it writes.

A verb's configuration is a frozen dataclass beside its code. `load` builds one from YAML files and `key.sub=value` words;
`open_run` makes the folder that the verb writes into.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import logging
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib import metadata, resources
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf, ValidationError
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

T = TypeVar("T")
PACKAGES = ("neuromf", "torch", "monai", "numpy", "scipy", "omegaconf", "matplotlib", "safetensors")


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names the key, what came and what is accepted."""


def load(schema: type[T], words: Sequence[str], verb: str) -> T:
    """Return the dataclass `schema` filled from `words`: YAML files, `preset=NAME` and `key.sub=value`, later ones winning.

    A preset is looked up in the package's `presets/VERB/`. Raises ConfigError for an unknown key, a wrong type or choice,
    a missing file, or a value the dataclass itself refuses.
    """
    base = OmegaConf.structured(schema)
    layers: list[Any] = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            layers.append((word, _read_yaml(Path(word))))
        elif key == "preset":
            layers.append((word, _read_yaml(_preset(verb, value))))
        else:
            layers.append((word, _assignment(word)))
    try:
        for word, layer in layers:
            base = _merge(base, layer, schema, word)
        return OmegaConf.to_object(base)  # type: ignore[return-value]
    except ConfigError:
        raise
    except OmegaConfBaseException as error:  # for example ??? left unset
        raise ConfigError(f"{error.full_key or 'configuration'}: {str(error).splitlines()[0]}") from None
    except (ValueError, TypeError) as error:
        raise ConfigError(str(error)) from None


def to_yaml(config: Any) -> str:
    """Return a configuration dataclass as YAML that `load` reads back to an equal object."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))


def presets(verb: str) -> list[str]:
    """Return the names of the presets shipped for a verb."""
    folder = resources.files("neuromf") / "presets" / verb
    return sorted(p.name.removesuffix(".yaml") for p in folder.iterdir()) if folder.is_dir() else []


@contextlib.contextmanager
def open_run(out: Path, config: Any, *, resume: bool = False, overwrite: bool = False) -> Iterator[Path]:
    """Make the folder `out` with config.yaml, run.json (versions, git, seed, state) and run.log, and give it to the body.

    run.json says `running`, then `finished` or `failed`. Raises FileExistsError where `out` holds files and neither
    `resume` nor `overwrite` is asked for, ConfigError where a resumed run had another configuration; only a folder that
    this function made can be overwritten.
    """
    text = to_yaml(config)
    _prepare_folder(out, text, resume=resume, overwrite=overwrite)
    write_text(out / "config.yaml", text)
    record = provenance() | {"seed": getattr(config, "seed", None), "command": sys.argv, "state": "running"}
    started = time.time()
    write_json(out / "run.json", record)
    handler = logging.FileHandler(out / "run.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("neuromf")
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    state = "failed"
    try:
        yield out
        state = "finished"
    except BaseException as error:
        log.error("stopped by %s: %s", type(error).__name__, error)
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
        "processors": os.cpu_count(),
        "versions": {name: version for name, version in versions.items() if version},
    }
    commit = _git("rev-parse", "HEAD")
    if commit:
        record["git"] = {"commit": commit, "changed": bool(_git("status", "--porcelain"))}
    return record


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: a temporary name beside it, then a rename."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary name with the same ending to write to; it becomes `path` when the body ends well, else it is removed."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _prepare_folder(out: Path, text: str, *, resume: bool, overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} is a file: choose another folder with out=FOLDER")
    filled = out.is_dir() and any(out.iterdir())
    if filled and not (resume or overwrite):
        raise FileExistsError(f"{out} is not empty: add --resume to continue, --overwrite to start again, or choose another out=FOLDER")
    if filled and not (out / "run.json").is_file():
        raise FileExistsError(f"{out} holds files but no run.json, so it is no run of ours: choose another out=FOLDER")
    if filled and overwrite:
        shutil.rmtree(out)
    elif filled and (out / "config.yaml").is_file():
        before = (out / "config.yaml").read_text(encoding="utf-8")
        changed = [line[2:] for line in difflib.ndiff(before.splitlines(), text.splitlines()) if line[0] in "-+"]
        if changed:
            raise ConfigError(f"{out} was started with another configuration ({'; '.join(changed[:4])}): repeat it or --overwrite")
    out.mkdir(parents=True, exist_ok=True)


def _merge(base: DictConfig, layer: Any, schema: type, word: str) -> DictConfig:
    try:
        return OmegaConf.merge(base, layer)  # type: ignore[return-value]
    except ConfigKeyError as error:
        key = str(error.full_key or error.key)
        raise ConfigError(f"unknown key {key!r} in {word!r}{_suggestion(key, _keys(schema))}") from None
    except ValidationError as error:
        raise ConfigError(f"{error.full_key} in {word!r}: {str(error).splitlines()[0]}") from None
    except OmegaConfBaseException as error:
        raise ConfigError(f"{word!r}: {str(error).splitlines()[0]}") from None


def _keys(schema: Any, prefix: str = "") -> list[str]:
    """Return every dotted key of a nested dataclass."""
    config = OmegaConf.structured(schema)
    keys: list[str] = []

    def walk(node: Any, prefix: str) -> None:
        for key in node:
            keys.append(f"{prefix}{key}")
            if not OmegaConf.is_missing(node, key) and isinstance(node[key], DictConfig):
                walk(node[key], f"{prefix}{key}.")

    walk(config, prefix)
    return keys


def _suggestion(key: str, known: list[str]) -> str:
    by_leaf = [k for k in known if k.rsplit(".", 1)[-1] == key.rsplit(".", 1)[-1]]
    close = by_leaf or difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    siblings = [k for k in known if k.rpartition(".")[0] == key.rpartition(".")[0]]
    return f": did you mean {close[0]!r}?" if close else f": known here are {', '.join(siblings or known)}"


def _read_yaml(path: Path) -> Any:
    if not path.is_file():
        raise ConfigError(f"{str(path)!r} is no file: words are CONFIG.yaml or key=value")
    try:
        layer = OmegaConf.load(path)
    except Exception as error:  # the YAML parser has many
        raise ConfigError(f"{path}: not readable as YAML ({str(error).splitlines()[0]})") from None
    if not isinstance(layer, DictConfig):
        raise ConfigError(f"{path}: a mapping of keys to values is needed at the top")
    return layer


def _preset(verb: str, name: str) -> Path:
    known = presets(verb)
    if name not in known:
        raise ConfigError(f"unknown preset {name!r}: {verb} has {', '.join(known) or 'none'}")
    return Path(str(resources.files("neuromf") / "presets" / verb / f"{name}.yaml"))


def _assignment(word: str) -> Any:
    try:
        return OmegaConf.from_dotlist([word])
    except Exception as error:
        raise ConfigError(f"{word!r}: not readable as key=value ({str(error).splitlines()[0]})") from None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str:
    """Return what git says of the checkout that this file lies in; empty where there is none."""
    try:
        result = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""


