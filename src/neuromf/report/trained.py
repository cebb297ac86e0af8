"""What the folder of a training holds, and why parts of it are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuromf.latents.store import LatentStore
from neuromf.report.columns import Columns, read_columns
from neuromf.report.previews import Preview, read_previews
from neuromf.report.settings import Settings, read_settings
from neuromf.runtime.lock import is_locked
from neuromf.runtime.records import RecordError, read_json_object

VERBS = ("train", "train-stages")
OF_A_TRAINING = ("log.csv", "checkpoints")  # one of which every training has
NEVER = "nothing was logged before the run ended"
UNEVALUATED = (
    "the run evaluated nothing (evaluation.every=0, no latent in the split val, or it ended "
    "before the first evaluation)"
)
UNDIAGNOSED = "the run made no diagnostics (diagnostics.every=0, or it ended before the first)"


class NoRunError(ValueError):
    """A folder that is no training."""


@dataclass(frozen=True)
class Trained:
    """What the folder of a training holds. A part that is missing is empty and says why."""

    folder: Path
    name: str  # in tables and figures; different for every run of a report
    record: Mapping[str, Any]  # run.json
    state: str  # finished, interrupted, failed, running, or killed
    settings: Settings
    log: Columns
    evaluation: Columns
    linear: Mapping[float, float]  # v-loss of a linear filter by t; empty where it is not known
    diagnostics: Columns
    previews: tuple[Preview, ...]
    warned: tuple[str, ...]  # warnings and errors in run.log, each once
    shape: tuple[int, ...]  # of the latents (C, D, H, W), empty where nothing tells it

    @property
    def updates(self) -> int:
        """The last update that is known of: of the log, the evaluations and the previews."""
        known = [*self.log.update, *self.evaluation.update, *(p.update for p in self.previews)]
        return int(max(known, default=0))


def folders_of(path: Path) -> list[Path]:
    """Return the trainings in a folder: itself, or the stages of `train-stages`. Raises NoRunError
    where it holds neither.
    """
    if not path.is_dir():
        raise NoRunError(f"{path} is no folder: give folders that `neuromf train` wrote")
    if not (path / "run.json").is_file():
        raise NoRunError(f"{path} holds no run.json, so no run of neuromf wrote it")
    try:
        verb = read_json_object(path / "run.json").get("verb", "")
    except RecordError as error:
        raise NoRunError(f"{path}: its run.json cannot be read ({error})") from None

    if not verb and any((path / name).exists() for name in OF_A_TRAINING):
        verb = "train"  # of an earlier version, which did not write it
    if not verb:
        raise NoRunError(
            f"{path}: its run.json names no verb, and {' and '.join(OF_A_TRAINING)} are not there, "
            "so it is no training"
        )
    if verb not in VERBS:
        raise NoRunError(
            f"{path} was written by `neuromf {verb}`: a report is of `neuromf train` or "
            "`train-stages`"
        )
    if verb == "train":
        return [path]
    stages = sorted((path / "stages").glob("*/run.json"), key=_started)
    if not stages:
        raise NoRunError(f"{path}: no stage of this `neuromf train-stages` has begun")
    return [stage.parent for stage in stages]


def read_trained(folder: Path, name: str = "") -> Trained:
    """Return what a training's folder holds. Raises NoRunError where it is none."""
    [folder] = folders_of(folder)
    record = read_json_object(folder / "run.json")
    evaluated = _json(folder / "evaluation.json")
    settings, previews = read_settings(folder, record), read_previews(folder / "samples")
    return Trained(
        folder=folder,
        name=name or folder.resolve().name,
        record=record,
        state=_state(folder, record),
        settings=settings,
        log=read_columns(folder / "log.csv", NEVER),
        evaluation=read_columns(folder / "evaluation.csv", UNEVALUATED),
        linear=_by_t(evaluated.get("v_loss_linear")),
        diagnostics=read_columns(folder / "diagnostics.csv", UNDIAGNOSED),
        previews=previews,
        warned=_warned(folder / "run.log"),
        shape=_shape(folder, settings, previews),
    )


def _started(path: Path) -> str:
    """Return when the run of a run.json was started first, as text that sorts by time."""
    record = _json(path)
    first = next(iter(record.get("earlier", [])), record)
    return str(first.get("started", ""))


def _state(folder: Path, record: Mapping[str, Any]) -> str:
    """Return how a run ended; `killed` for one that says it runs and holds no lock."""
    state = str(record.get("state", "unknown"))
    return "killed" if state == "running" and not is_locked(folder) else state


def _shape(folder: Path, settings: Settings, previews: Sequence[Preview]) -> tuple[int, ...]:
    """Return the latents' shape, as the model, the samples, or the latents themselves tell it."""
    stats = _json(folder / "model" / "config.json").get("stats")
    told = stats.get("shape") if isinstance(stats, dict) else None
    if isinstance(told, list) and len(told) == 4 and all(isinstance(n, int) for n in told):
        return tuple(told)
    drawn = next((p.shape for p in reversed(previews) if len(p.shape) == 4), ())
    latents = settings.config.latents if settings.config else ""
    if drawn or not latents or not Path(latents).is_dir():
        return drawn
    try:
        return LatentStore(latents).shape
    except (OSError, ValueError):
        return ()


def _warned(path: Path) -> tuple[str, ...]:
    """Return what a run's log warns of, each once, without the time."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    parts = [line.split(" ", 3) for line in lines]
    said = [p[3] for p in parts if len(p) == 4 and p[2] in ("WARNING", "ERROR")]
    return tuple(dict.fromkeys(said))


def _by_t(found: Any) -> dict[float, float]:
    try:
        return {float(t): float(loss) for t, loss in found.items()}
    except (AttributeError, TypeError, ValueError):
        return {}


def _json(path: Path) -> dict[str, Any]:
    """Return a JSON object, empty where there is none that can be read."""
    try:
        return read_json_object(path)
    except (OSError, RecordError):
        return {}
