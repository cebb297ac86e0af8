"""`neuromf train-stages`: a rectified flow, then its conversion to one call, in one command."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from neuromf.generation.model import MODEL_FILES
from neuromf.runtime.config import ConfigError, load
from neuromf.runtime.folders import COMMON, Output, local_path
from neuromf.runtime.run import open_run
from neuromf.runtime.shell import typed
from neuromf.training import command
from neuromf.training.checkpoint import LAST
from neuromf.training.config import TrainConfig
from neuromf.training.export import export

log = logging.getLogger("neuromf")
OUTPUT = Output(
    "train-stages",
    (
        *(f"model/{name}" for name in MODEL_FILES),
        *(f"stages/*/{path}" for path in (*COMMON, *command.OUTPUT.patterns)),
    ),
    loose=("model/vae/*", *(f"stages/*/{path}" for path in command.OUTPUT.loose)),
)


@dataclass(frozen=True)
class StagesConfig:
    """Trainings one after another: the first trains a rectified flow, the others begin with the
    model before them and learn from the flow.
    """

    latents: str = ""  # a folder or URL that encode wrote
    vae: str = ""  # to look at samples with; each stage's own or the latents', if empty
    # presets of `neuromf train`, or YAML files
    stages: tuple[str, ...] = ("flow2mm", "secants2mm")
    teacher: str = ""  # a model folder: a flow trained before, in place of the first stage
    seed: int | None = None  # of every stage; each stage's own, if not given
    # further words of `neuromf train`, for every stage, or for one after its name:
    # [device=cuda, batch=16, flow2mm.updates=5000]
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.stages or len(set(self.names)) < len(self.stages):
            raise ValueError(f"stages are {list(self.stages)}: one or more, each with its own name")
        keys = {"latents", "vae", "teacher", "start"}
        if self.seed is not None:
            keys.add("seed")
        own = [w for w in self.words if _without_stage(w, self.names).partition("=")[0] in keys]
        if own:
            raise ValueError(
                f"words holds {', '.join(own)}: latents, vae, teacher and seed are keys of their "
                "own, and start is the model of the stage before"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """What the stages are called, and their folders."""
        return tuple(Path(stage).stem for stage in self.stages)


def run(config: StagesConfig, out: Path, *, resume: bool = False, overwrite: bool = False) -> Path:
    """Train all stages into `out`/stages, each a folder as `neuromf train` writes it, and the model
    of the last one into `out`/model; return that folder.

    A signal (SIGTERM, SIGUSR1) saves and raises Stopped. Raises ConfigError for stages out of
    order, and what `neuromf train` raises.
    """
    trainings = planned(config, out)
    command.fitting(next(iter(trainings.values())))  # refused before anything is made
    with open_run(
        out, config, OUTPUT, [config.latents, config.vae, config.teacher],
        resume=resume, overwrite=overwrite,
    ):  # fmt: skip
        for number, (name, training) in enumerate(trainings.items(), 1):
            log.info("stage %d of %d: %s", number, len(trainings), name)
            print(f"stage {number} of {len(trainings)}: {name}")
            command.run(training, out / "stages" / name, resume=True)
        last = out / "stages" / name / "checkpoints" / LAST
        chosen = command.chosen_checkpoint(training, last)
        model = export(chosen, out / "model", vae=training.vae)

    print(f"{model}: {typed('neuromf', 'generate', f'model={model}', 'n=4')}")
    return model


def check(config: StagesConfig) -> list[str]:
    """Return what the user should know before the stages wait in a queue. Raises what `run` raises
    before it makes anything; later stages need the models of earlier ones, and are not checked.
    """
    return command.check(next(iter(planned(config, Path()).values())))


def planned(config: StagesConfig, out: Path) -> dict[str, TrainConfig]:
    """Return the configuration of each stage by its name. Raises ConfigError where they are out of
    order.
    """
    trainings: dict[str, TrainConfig] = {}
    teacher, before = config.teacher, ""
    for name, stage in zip(config.names, config.stages, strict=True):
        own = resolved(config, stage)
        _refuse_processes(name, own)
        is_flow = own.objective.jvp == "none"
        if is_flow and config.teacher and not trainings:
            continue  # the teacher stands in its place
        if is_flow and trainings:
            raise ConfigError(
                f"stage {name} trains a rectified flow after {', '.join(trainings)}: it comes first"
            )
        if not is_flow and not teacher:
            raise ConfigError(
                f"stage {name} learns from a rectified flow and none comes before it: begin with "
                "one (flow2mm), or give teacher=MODEL"
            )

        folder = str(out / "stages" / name / "model")
        if is_flow:
            teacher = folder
        else:
            own = replace(own, teacher=teacher, start=before)
            before = folder
        trainings[name] = own

    if not trainings:
        raise ConfigError("stages name a rectified flow alone, and teacher= is one already")
    return trainings


def _refuse_processes(name: str, config: TrainConfig) -> None:
    """Raise ConfigError for a stage of several processes: each would open the folder of all stages,
    and only the first may.
    """
    if config.devices * config.nodes > 1:
        raise ConfigError(
            f"stage {name} has devices={config.devices} nodes={config.nodes}: train-stages trains "
            "in one process, devices=1 nodes=1; on several GPUs, run the stages one by one with "
            "`neuromf train`, the later ones with teacher=FLOW/model"
        )


def resolved(config: StagesConfig, stage: str) -> TrainConfig:
    """Return the configuration of a stage, without a teacher yet."""
    file = stage.endswith((".yaml", ".yml"))
    name = Path(stage).stem
    others = tuple(f"{other}." for other in config.names if other != name)
    words = [str(local_path(stage)) if file else f"preset={stage}"]
    words += [_without_stage(w, (name,)) for w in config.words if not w.startswith(others)]
    own = [f"latents={config.latents}"]
    if config.vae:  # else a stage's YAML may name its own
        own.append(f"vae={config.vae}")
    if config.seed is not None:
        own.append(f"seed={config.seed}")
    return load(TrainConfig, [*words, *own], "train")


def _without_stage(word: str, names: tuple[str, ...]) -> str:
    """Return a word without the name of the stage that it is for."""
    for name in names:
        word = word.removeprefix(f"{name}.")
    return word
