"""A verb's configuration: a frozen dataclass beside its code, filled from YAML
files and `key.sub=value` words.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import (
    AnyNode,
    DictConfig,
    ListConfig,
    OmegaConf,
    StringNode,
    TupleConfig,
    ValidationError,
)
from omegaconf.errors import ConfigKeyError, InterpolationKeyError, OmegaConfBaseException

from neuromf.runtime.fields import is_named, new_name, renamed

T = TypeVar("T")
PLACE = "where a command runs is said on the command line: launch=slurm slurm.partition=gpu"


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names the key, what came and
    what is accepted.
    """


def load(schema: type[T], words: Sequence[str], verb: str, start: T | None = None) -> T:
    """Return the dataclass `schema` filled from `words`: YAML files, `preset=NAME` and
    `key.sub=value`; later words override earlier ones. Keys that no word sets are as in `start`,
    or have their defaults.

    A preset is looked up in the package's `presets/VERB/`. Raises ConfigError for an unknown key, a
    wrong type or choice, a missing file, or a value the dataclass itself refuses.
    """
    base = OmegaConf.structured(schema if start is None else start)
    layers: list[Any] = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            layers.append((word, _read_yaml(Path(word))))
        elif key == "preset":
            layers.append((word, _read_yaml(_preset(verb, value))))
        else:
            layers.append((word, _assignment(word, base)))

    try:
        for word, layer in layers:
            _refuse_new_keys(base, word)
            base = _merge(base, layer, word)

        _refuse_strange_numbers(base)
        return OmegaConf.to_object(base)  # type: ignore[return-value]
    except ConfigError:
        raise
    except InterpolationKeyError as error:
        raise ConfigError(
            f"{error.full_key}: {str(error).splitlines()[0]}: ${{...}} names "
            "another key; write \\${...} for the text"
        ) from None
    except OmegaConfBaseException as error:  # for example ??? left unset
        raise ConfigError(
            f"{error.full_key or 'configuration'}: {str(error).splitlines()[0]}"
        ) from None
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{_refused_key(base)}{error}") from None


def load_record(schema: type[T], text: str, what: str) -> T:
    """Return a configuration from YAML that a run wrote, of an earlier version perhaps: renamed
    keys are read. Raises ConfigError where it does not fit.
    """
    try:
        record = OmegaConf.to_container(OmegaConf.create(text))
        if not isinstance(record, dict):
            raise TypeError("a mapping of keys to values is needed")
        names: dict[str, Any] = renamed({str(k): v for k, v in record.items()}, schema)
        merged = OmegaConf.merge(OmegaConf.structured(schema), OmegaConf.create(names))
        return OmegaConf.to_object(merged)  # type: ignore[return-value]
    except Exception as error:  # the YAML parser has many
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"{what}: not a configuration of this version ({reason})") from None


def to_yaml(config: Any) -> str:
    """Return a configuration dataclass as YAML that `load` reads back to an equal object."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))


def presets(verb: str) -> list[str]:
    """Return the names of the presets shipped for a verb."""
    folder = resources.files("neuromf") / "presets" / verb
    return sorted(p.name.removesuffix(".yaml") for p in folder.iterdir()) if folder.is_dir() else []


def _merge(base: DictConfig, layer: Any, word: str) -> DictConfig:
    try:
        return OmegaConf.unsafe_merge(base, layer)  # type: ignore[return-value]
    except ConfigKeyError as error:
        key = str(error.full_key)
        now = new_name(error.object_type, str(error.key))
        if now:
            path = f"{key.rpartition('.')[0]}.{now}".lstrip(".")
            raise ConfigError(f"{key!r} in {word!r} is called {path!r} now") from None
        if key in {"launch", "slurm"}:
            raise ConfigError(f"{key!r} in {word!r}: {PLACE}") from None
        raise ConfigError(
            f"unknown key {key!r} in {word!r}{_suggestion(key, _keys(base))}"
        ) from None
    except ValidationError as error:
        what = str(error).splitlines()[0].replace("'$VALUE' of type '$VALUE_TYPE'", "in the list")
        raise ConfigError(
            f"{error.full_key or word.partition('=')[0]} in {word!r}: {what}"
        ) from None
    except OmegaConfBaseException as error:
        raise ConfigError(f"{word!r}: {str(error).splitlines()[0]}") from None


def _refuse_new_keys(config: DictConfig, word: str) -> None:
    """Refuse key.sub=value for a key that does not exist yet. YAML files may add keys to any
    dictionary; a word may do so only where the keys are the user's own.
    """
    node: Any = config
    if "=" not in word or word.startswith("preset="):
        return
    dotted = word.partition("=")[0].split(".")

    for depth, key in enumerate(dotted):
        if not isinstance(node, DictConfig) or node._is_none():
            return
        if key not in node:
            if not depth and key in {"launch", "slurm"}:
                raise ConfigError(f"{word!r}: {PLACE}")
            full = ".".join(dotted[: depth + 1])
            now = new_name(OmegaConf.get_type(node), key)
            if now:
                name = ".".join([*dotted[:depth], now])
                raise ConfigError(f"{full!r} in {word!r} is called {name!r} now")
            raise ConfigError(f"unknown key {full!r} in {word!r}{_suggestion(full, _keys(config))}")
        if is_named(OmegaConf.get_type(node), key):
            return
        node = node[key]


def _keys(config: DictConfig, prefix: str = "") -> list[str]:
    """Return every dotted key."""
    keys: list[str] = []
    for key in config:
        keys.append(f"{prefix}{key!s}")
        if not OmegaConf.is_missing(config, key) and isinstance(config[key], DictConfig):
            keys += _keys(config[key], f"{prefix}{key!s}.")
    return keys


def _refused_key(config: DictConfig, prefix: str = "") -> str:
    """Return 'key.sub: ' of the innermost part that its dataclass refuses, empty at the top."""
    for key in config:
        if not isinstance(config[key], DictConfig):
            continue
        try:
            OmegaConf.to_object(config[key])
        except (ValueError, TypeError):
            return _refused_key(config[key], f"{prefix}{key!s}.")
    return f"{prefix.rstrip('.')}: " if prefix else ""


def _refuse_strange_numbers(config: Any, prefix: str = "") -> None:
    """Raise ConfigError for NaN, which passes every comparison unseen, and
    for integers beyond 64 bits.
    """
    for key in config if isinstance(config, DictConfig) else range(len(config)):
        value = None if OmegaConf.is_missing(config, key) else config[key]
        name = f"{prefix}{key!s}"
        if isinstance(value, DictConfig | ListConfig | TupleConfig):
            if not value._is_none():
                _refuse_strange_numbers(value, f"{name}.")
        elif isinstance(value, float) and math.isnan(value):
            raise ConfigError(f"{name} is nan: a number is needed")
        elif isinstance(value, int) and abs(value) >= 2**63:
            raise ConfigError(f"{name} is {value}: whole numbers up to 2**63 - 1 are taken")


def _suggestion(key: str, known: list[str]) -> str:
    """Return a suggestion: the same name in another place, or a name that is spelt similarly."""
    leaf = key.rsplit(".", 1)[-1]
    leaves = {k.rsplit(".", 1)[-1]: k for k in reversed(known)}
    near = difflib.get_close_matches(leaf, leaves, n=1, cutoff=0.74)
    own = [k for k in known if k.rpartition(".")[0] == key.rpartition(".")[0]]
    near_here = difflib.get_close_matches(key, own, n=1, cutoff=0.74)
    close = [leaves[leaf]] if leaf in leaves else near_here or [leaves[n] for n in near]
    siblings = [k for k in known if k.rpartition(".")[0] == key.rpartition(".")[0]]

    return (
        f": did you mean {close[0]!r}?"
        if close
        else f": known here are {', '.join(siblings or known)}"
    )


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


def _assignment(word: str, base: DictConfig) -> Any:
    """Return key=value as a layer. The value of a text key is taken literally, since it may be
    a path, unless it is a [list].
    """
    key, _, value = word.partition("=")
    node: Any = base
    for part in key.split("."):
        if isinstance(node, DictConfig) and node._metadata.element_type is str:
            return _nested(key, value)  # the user's own values stay text, even true, null or 3
        inside = isinstance(node, DictConfig) and not node._is_none() and part in node
        node = node._get_node(part) if inside else None

    if isinstance(node, StringNode | AnyNode) and not value.startswith(("[", "{")):
        return _nested(key, value.replace("${", "\\${"))  # a path, not another key
    if (
        isinstance(node, ListConfig | TupleConfig)
        and value
        and not value.startswith("[")
        and value != "null"
    ):
        word = f"{key}=[{value}]"  # ema=0.999 for ema=[0.999]

    try:
        return OmegaConf.from_dotlist([word])
    except Exception as error:
        raise ConfigError(
            f"{word!r}: not readable as key=value ({str(error).splitlines()[0]})"
        ) from None


def _nested(key: str, value: str) -> Any:
    layer = OmegaConf.create()
    OmegaConf.update(layer, key, value)
    return layer
