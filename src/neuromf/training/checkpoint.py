"""Checkpoints: read without running code, of earlier versions too, and refused where they are of
another run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from neuromf.autoencoder.components import IMAGE, Component
from neuromf.latents.statistics import LatentStats
from neuromf.nets.variables import UNCONDITIONAL, Conditions
from neuromf.pretrained.statedict import WeightsError, read_pickle
from neuromf.runtime.config import ConfigError, load_record
from neuromf.runtime.records import as_record
from neuromf.runtime.run import refuse_other_config
from neuromf.training.config import TrainConfig

FORMAT = 2
HELD = {  # what every checkpoint holds, among others
    **dict.fromkeys(("network", "averages", "averaged", "optimiser", "state", "provenance"), dict),
    **{"config": str, "verb": str},
}
OF_TRAIN = {"components": list, "stats": dict, "spacing": tuple | list}
LAST, BEST = "last.ckpt", "best.ckpt"
ROWS = {"nonfinite_rows": "nonfinite_samples", "latents_per_second": "samples_per_second"}


class Origin(NamedTuple):
    """What a run's latents are, which a model folder will need."""

    components: tuple[Component, ...]
    stats: LatentStats
    spacing: tuple[float, float, float]  # mm, of the volumes
    latents: str  # fingerprint of the store
    conditions: Conditions = UNCONDITIONAL
    known: str = ""  # fingerprint of the conditions of each latent
    base: str = ""  # fingerprint of the model that is adapted
    base_channels: int = 0
    lesions: str = ""  # kinds of the simulated lesions among the training latents

    def record(self) -> dict[str, Any]:
        """Return what a checkpoint says of the latents."""
        return {
            "components": [asdict(c) for c in self.components],
            "stats": asdict(self.stats),
            "spacing": self.spacing,
            "latents": self.latents,
            "conditions": asdict(self.conditions),
            "known": self.known,
            "base": self.base,
            "base_channels": self.base_channels,
            "lesions": self.lesions,
        }


def read_checkpoint(path: Path, verb: str = "train") -> dict[str, Any]:
    """Return a checkpoint that a verb wrote. Raises FileNotFoundError, or WeightsError for a
    file that is not a checkpoint, or is damaged.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    try:
        found = read_pickle(path)
    except WeightsError as error:
        earlier = readable_before(path) if path.name == LAST else ""
        advice = f"; {earlier} beside it can be read: rename it to {path.name}" if earlier else ""
        raise WeightsError(f"{error}{advice}") from None

    if isinstance(found, dict) and found.get("format") == 1 and verb == "train":
        found = from_format_1(found, path)
    if not isinstance(found, dict) or (found.get("format"), found.get("verb")) != (FORMAT, verb):
        raise WeightsError(f"{path}: no checkpoint of `neuromf {verb}` in format {FORMAT}")
    held = HELD | (OF_TRAIN if verb == "train" else {})
    wrong = [name for name, kind in held.items() if not isinstance(found.get(name), kind)]
    if wrong:
        raise WeightsError(
            f"{path}: a checkpoint of `neuromf {verb}` holds more: {', '.join(wrong)}"
        )
    return found


def readable_before(path: Path) -> str:
    """Return the newest numbered checkpoint beside a damaged one that can be read, empty where
    there is none. The very newest is another name of the same bytes, and as damaged.
    """
    for earlier in sorted(path.parent.glob("update-*.ckpt"), reverse=True):
        with contextlib.suppress(WeightsError, OSError):
            if not earlier.samefile(path):
                read_pickle(earlier)
                return earlier.name
    return ""


def check_updates(last: Path, updates: int, verb: str) -> None:
    """Raise ConfigError where a run is to be resumed with fewer updates than it has done, or with
    as many and no look at that point: there is nothing to train, and no model of those updates.
    """
    if not last.is_file():
        return
    state = read_checkpoint(last, verb)["state"]
    done, looks = state["update"], state["evaluations"]
    looked = bool(looks) and looks[-1]["update"] == done
    if done > updates or (done == updates and not looked):
        raise ConfigError(
            f"updates={updates}, and {last} is of update {done} already: resume with more, "
            f"such as updates={done + 1}"
        )


def from_format_1(found: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return a checkpoint of version 0.1 as this version writes it. Raises WeightsError where it
    holds something else.
    """
    try:
        meter = found["meter"]
        rows = [{ROWS.get(k, k): v for k, v in row.items()} for row in meter["rows"]]
        state = {
            "update": found["update"],
            "skipped": found["skipped"],
            "rows": rows,
            "evaluations": meter["looks"],
            "sums": meter["sums"],
            "norms": meter["norms"],
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path}: a checkpoint of `neuromf train` holds more: {error}") from None

    gone = {"meter", "update", "skipped", "vae"}
    components = [{"name": IMAGE, "vae": found.get("vae")}]
    kept = {k: v for k, v in found.items() if k not in gone}
    return kept | {"format": FORMAT, "verb": "train", "state": state, "components": components}


def trained_config(checkpoint: dict[str, Any]) -> TrainConfig:
    """Return the configuration in a checkpoint. Raises ConfigError where it is of another
    version.
    """
    return load_record(TrainConfig, checkpoint["config"], "the checkpoint's configuration")


def check_same_run(checkpoint: dict[str, Any], config: TrainConfig, origin: Origin) -> None:
    """Raise ConfigError or ValueError where a checkpoint is of another configuration, or of
    other latents.
    """
    refuse_other_config(checkpoint["config"], config, "the checkpoint")
    advice = "give the latents that the run began with, or choose another out=FOLDER"
    before = as_record(checkpoint["components"], tuple[Component, ...], "the checkpoint")

    if before != origin.components:
        raise ValueError(
            f"the checkpoint was trained on latents of {told(before)}, {config.latents} holds "
            f"latents of {told(origin.components)}: {advice}"
        )
    if as_record(checkpoint["stats"], LatentStats, "the checkpoint") != origin.stats:
        earlier = checkpoint["stats"]
        raise ValueError(
            f"the checkpoint was trained on {earlier['latents']} latents of {earlier['subjects']} "
            f"people, {config.latents} has other statistics now ({origin.stats.latents} latents "
            f"of {origin.stats.subjects} people): {advice}; start=MODEL begins another training "
            "with these weights"
        )
    # The first versions did not write the fingerprint.
    if checkpoint.get("latents", origin.latents) != origin.latents:
        raise ValueError(
            f"{config.latents} holds other latents than the checkpoint was trained on: {advice}"
        )
    if checkpoint.get("base", "") != origin.base:
        raise ValueError(
            f"the checkpoint adapts the model {checkpoint.get('base', '')[:16]}, "
            f"adapt={config.adapt} is {origin.base[:16]}: give the model that the run began with"
        )
    if checkpoint.get("known", "") != origin.known:
        raise ValueError(
            "the checkpoint was trained with other conditions of these latents: give the table "
            "that the run began with, or choose another out=FOLDER"
        )


def told_conditions(conditions: Conditions) -> str:
    """Return conditions in words."""
    words = [f"{v.name} ({v.told})" for v in conditions.variables] or ["none"]
    guided = [f"guidance to {conditions.guidance:g}"] if conditions.guidance > 1 else []
    return ", ".join(words + guided)


def told(components: Sequence[Component]) -> str:
    """Return components in words, with the fingerprints of their VAEs."""
    return ", ".join(f"{c.name}: {c.vae.name} ({c.vae.sha256[:16]})" for c in components)
