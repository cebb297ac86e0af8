"""The configuration of a training, and what in it differs from the preset that it began with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuromf.runtime.config import ConfigError, load, load_record, presets, to_yaml
from neuromf.runtime.fields import differences
from neuromf.training.config import TrainConfig

DEFAULT = "small2mm"  # the preset of `train` where no word names one
EMPTY = ("{}", "[]")  # a mapping or list that was filled, whose keys stand by themselves


@dataclass(frozen=True)
class Change:
    """A key of the configuration that differs: its value there and here, as YAML; empty where it
    is not set.
    """

    key: str
    before: str
    now: str


@dataclass(frozen=True)
class Settings:
    """What a run was configured to do."""

    text: str  # config.yaml
    config: TrainConfig | None  # None where it is none of this version
    problem: str = ""  # why there is none
    preset: str = ""
    named: bool = True  # whether the command named the preset; else it is the nearest one
    changes: tuple[Change, ...] = ()


def read_settings(folder: Path, record: Mapping[str, Any]) -> Settings:
    """Return the configuration of a run, of an earlier version perhaps."""
    path = folder / "config.yaml"
    try:
        text = path.read_text(encoding="utf-8")
        config = load_record(TrainConfig, text, str(path))
    except OSError:
        return Settings("", None, "config.yaml is not there")
    except (ConfigError, UnicodeDecodeError) as error:
        text = path.read_text(encoding="utf-8", errors="replace")
        return Settings(text, None, str(error))

    preset = named_preset(record)
    if preset:
        return Settings(text, config, "", preset, True, changes(preset, config))
    every = {name: changes(name, config) for name in presets("train")}
    nearest = min(every, key=lambda name: len(every[name]))
    return Settings(text, config, "", nearest, False, every[nearest])


def changes(preset: str, config: TrainConfig) -> tuple[Change, ...]:
    """Return what differs between a preset of `train` and a configuration."""
    before = load(TrainConfig, [f"preset={preset}"], "train")
    return paired(differences(to_yaml(before), to_yaml(config), TrainConfig))


def paired(lines: Sequence[str]) -> tuple[Change, ...]:
    """Return lines such as `- key: old` and `+ key: new` as changes, in the order of the keys."""
    found: dict[str, dict[str, str]] = {}
    for line in lines:
        sign, _, rest = line.partition(" ")
        key, _, value = rest.partition(": ")
        found.setdefault(key, {})[sign] = value
    pairs = [Change(key, v.get("-", ""), v.get("+", "")) for key, v in found.items()]
    return tuple(c for c in pairs if (c.before or c.now) not in EMPTY or (c.before and c.now))


def named_preset(record: Mapping[str, Any]) -> str:
    """Return the preset that the first start of a run named, or the one that `train` takes without
    a word; empty where a YAML file or another verb (a study) gave the configuration.
    """
    first = next(iter(record.get("earlier", [])), record)
    _, *words = [str(word) for word in first.get("command", [""])] or [""]
    if words[:1] != ["train"]:
        return ""
    given = [word for word in words[1:] if not word.startswith("-")]
    if any("=" not in word for word in given):
        return ""
    named = [word.removeprefix("preset=") for word in given if word.startswith("preset=")]
    preset = named[-1] if named else DEFAULT
    return preset if preset in presets("train") else ""
