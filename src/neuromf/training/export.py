"""`neuromf export`: a training's weights as a model folder to give away."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from neuromf.autoencoder.components import Component
from neuromf.autoencoder.small import CONFIG as VAE_CONFIG
from neuromf.generation.adapter import AdapterConfig, save_adapter
from neuromf.generation.asked import Row
from neuromf.generation.model import MODEL_FILES, ModelConfig, save_model
from neuromf.generation.population import population_of, write_population
from neuromf.latents.statistics import LatentStats
from neuromf.latents.store import LatentStore
from neuromf.nets.adapt import merge
from neuromf.nets.variables import Conditions
from neuromf.pretrained.statedict import load_strict
from neuromf.runtime.config import ConfigError, to_yaml
from neuromf.runtime.fields import key
from neuromf.runtime.folders import Output, local_path
from neuromf.runtime.records import as_record
from neuromf.runtime.run import open_run
from neuromf.runtime.shell import typed
from neuromf.training.adapt import structure
from neuromf.training.checkpoint import read_checkpoint, trained_config
from neuromf.training.conditions import known_rows
from neuromf.training.config import TrainConfig
from neuromf.training.hub import check_push, header, push
from neuromf.training.monitor import best_average

OUTPUT = Output("export", MODEL_FILES, loose=("vae/*",))
ONLINE = -1.0  # in place of a decay: the weights themselves


@dataclass(frozen=True)
class ExportConfig:
    """Which weights of which run, in which precision."""

    run: str = ""  # a folder that `neuromf train` wrote
    checkpoint: str = "last"  # last, best, or another name in its checkpoints/
    # decay of the average; -1 is the weights themselves, 0 the average with the smallest v-loss on
    # held-out latents, or the first where none was measured
    ema: float = 0.0
    half: bool = True  # float16, half the size
    name: str = ""  # the run's folder, if empty
    # write the conditions (age, sex) of the people in the training, without names: samples for
    # which no condition is given take those of one of them
    population: bool = False
    license: str = "other"  # in the card, by the hub's name for it: apache-2.0, cc-by-nc-4.0
    push: str = key("", free=True)  # owner/name on the Hugging Face hub, to upload it to


def run(config: ExportConfig, out: Path, *, resume: bool = False, overwrite: bool = False) -> Path:
    """Write the model folder `out`, and upload it if asked to."""
    if not config.run:
        raise ConfigError("run= names no folder: give one that `neuromf train` wrote")
    source = local_path(config.run)
    path = source / "checkpoints" / f"{config.checkpoint}.ckpt"
    if not path.is_file():
        found = (
            ", ".join(sorted(p.stem for p in path.parent.glob("*.ckpt")))
            or "none: give a run's folder"
        )
        raise FileNotFoundError(f"{path}: no such checkpoint; there are {found}")

    state = read_checkpoint(path)
    trained = trained_config(state)
    chosen_weights(state, trained, config.ema)  # refused before anything is made
    conditions = model_config(state, trained, config.ema, name_of(source), path).conditions
    people = training_population(trained, conditions) if config.population else []
    if config.push:
        check_push(config.push)

    with open_run(out, config, OUTPUT, [config.run], resume=resume, overwrite=overwrite):
        export(
            path,
            out,
            vae=trained.vae,
            ema=config.ema,
            half=config.half,
            name=config.name or name_of(source),
            license=config.license,
        )
        if people:
            write_population(out, people)
        if config.push:
            print(f"uploaded, for you alone to see: {push(out, config.push)}")

    print(f"{out}: {typed('neuromf', 'generate', f'model={out}', 'n=4')}")
    return out


def training_population(config: TrainConfig, conditions: Conditions) -> list[Row]:
    """Return the conditions of each person in a training, from the first scan of each; deformed
    copies are left out. Raises ConfigError if nothing is known, StoreError or FileNotFoundError if
    the latents or their table are not there.
    """
    if not conditions.names:
        raise ConfigError("population=true: this model takes no conditions")
    store = LatentStore(config.latents)
    rows = known_rows(store, (), config.table, conditions.names)
    people: dict[str, dict[str, str]] = {}
    for place in store.split("train"):
        entry = store.entries[place]
        if not entry.parent:
            people.setdefault(entry.subject, rows[place])
    found = population_of(conditions, people.values())
    if not found:
        raise ConfigError(
            f"population=true: nothing is known of the {len(people)} people in {config.latents}, "
            f"no {', no '.join(conditions.names)}: table=FILE of the training would say it"
        )
    return found


def name_of(folder: Path) -> str:
    """Return what a folder is called, also where it is the current one, `.`."""
    return folder.name or folder.resolve().name


def export(
    checkpoint: Path,
    folder: Path,
    *,
    vae: str = "",
    ema: float = 0.0,
    half: bool = False,
    name: str = "",
    license: str = "other",
) -> Path:
    """Write the weights of a checkpoint as a model folder and return it. Raises
    ValueError for an average not kept.
    """
    state = read_checkpoint(checkpoint)
    config = trained_config(state)
    decay, weights = chosen_weights(state, config, ema)
    model = model_config(state, config, decay, name or folder.resolve().parent.name, checkpoint)
    if config.adapt:
        weights = plain_weights(adapted(state, config, model, weights))
    # a VAE's folder with `~` expanded, as load_vae takes it; those that ship are not copied
    own = local_path(vae)
    own_vae = str(own) if vae and (own / VAE_CONFIG).is_file() else ""
    save_model(
        folder, model, weights, header(license) + card(model, config, state), vae=own_vae, half=half
    )

    return folder


def export_adapter(checkpoint: Path, folder: Path, *, ema: float = 0.0) -> Path:
    """Write what a checkpoint of `train adapt=MODEL` learned as an adapter folder and return it.
    Raises ValueError where nothing was adapted by low-rank terms.
    """
    state = read_checkpoint(checkpoint)
    config = trained_config(state)
    if not config.adapt or not config.lora.adapts:
        raise ValueError(f"{checkpoint}: its training has no adapter: it is a whole model")
    decay, weights = chosen_weights(state, config, ema)
    model = model_config(state, config, decay, folder.resolve().parent.name, checkpoint)
    about = AdapterConfig(state["base"], config.lora, model)
    return save_adapter(folder, about, adapted(state, config, model, weights))


def adapted(
    state: dict[str, Any], config: TrainConfig, model: ModelConfig, weights: dict[str, Tensor]
) -> nn.Module:
    """Return the adapted network of a checkpoint, its parts not merged yet."""
    network = structure(config, state["base_channels"], model.shape, model.conditions)
    load_strict(network, weights, "the checkpoint")
    return network


def plain_weights(network: nn.Module) -> dict[str, Tensor]:
    """Return the state of the plain network that an adapted one is."""
    merge(network)
    return network.state_dict()


def model_config(
    state: dict[str, Any], config: TrainConfig, decay: float, name: str, checkpoint: Path
) -> ModelConfig:
    """Return what the model of a checkpoint is."""
    return ModelConfig(
        name=name,
        network=config.network,
        predict=config.objective.predict,
        solver=config.solver,
        latent_scale=config.latent_scale,
        components=as_record(
            state["components"], tuple[Component, ...], f"{checkpoint}: components"
        ),
        stats=as_record(state["stats"], LatentStats, f"{checkpoint}: stats"),
        spacing=state["spacing"],
        updates=state["state"]["update"],
        ema=decay,
        precondition=config.precondition,
        lesions=state.get("lesions", ""),
        conditions=as_record(state.get("conditions", {}), Conditions, f"{checkpoint}: conditions"),
    )


def chosen_weights(
    state: dict[str, Any], config: TrainConfig, ema: float
) -> tuple[float, dict[str, Tensor]]:
    """Return an average's decay and weights in a checkpoint: of decay `ema`, or the best one if
    that is 0. Raises ValueError for an average that was not kept.
    """
    decay = ema or best_average(state["state"]["evaluations"], config.ema)
    if decay == ONLINE:
        return decay, state["network"]
    if str(decay) not in state["averages"]:
        raise ValueError(
            f"ema={decay}: the run kept "
            f"{', '.join(state['averages'])}; -1 is the weights themselves"
        )
    return decay, state["averages"][str(decay)]


def card(model: ModelConfig, config: TrainConfig, state: dict[str, Any]) -> str:
    """Return the model's README."""
    size = " x ".join(str(n * model.vae.factor) for n in model.shape[1:])
    rows = state["state"]["rows"]
    shown = to_yaml(shareable(config))
    lines = [
        f"# {model.name}",
        "",
        f"Draws 3D brain MRI of {size} voxels of {' x '.join(f'{s:g}' for s in model.spacing)} "
        "mm in one network call (NeuroMF; MeanFlow, [arXiv "
        "2505.13447](https://arxiv.org/abs/2505.13447)).",
        "",
        "```",
        "neuromf generate model=FOLDER n=4 out=samples",
        "```",
        "",
        "| | |",
        "|---|---|",
        f"| method | {method(config)} |",
        f"| network | 3D UNet, channels {model.network.channels}, conditioned on "
        f"{model.network.conditioning} |",
        *([f"| lesions | {model.lesions}: of no patient |"] if model.lesions else []),
        *(f"| condition `{v.name}` | {v.kind}: {v.told} |" for v in model.conditions.variables),
        *(
            [f"| guidance | scales from 1 to {model.conditions.guidance:g} |"]
            * (model.conditions.guidance > 1)
        ),
        f"| trained on | {model.stats.latents} latents of {model.stats.subjects} people |",
        f"| updates | {model.updates} of "
        f"{config.batch * config.accumulate * config.devices * config.nodes} latents |",
        f"| raw loss at the end | {rows[-1]['raw'] if rows else float('nan'):.4f} |",
        f"| weights | {'not averaged' if model.ema == ONLINE else f'EMA {model.ema}'} |",
        f"| VAE | {model.vae.name}, sha256 {model.vae.sha256[:16]} |",
        f"| versions | {json.dumps(state['provenance']['versions'])} |",
        "",
        "What it draws is no patient and not for diagnosis. Compare it with the training "
        "subjects before you share it.",
        "",
        "The whole configuration of the training:",
        "",
        "```yaml",
        shown.rstrip(),
        "```",
        "",
    ]

    return "\n".join(lines)


def shareable(config: TrainConfig) -> TrainConfig:
    """Return a configuration without what is nobody else's: folders of this machine, which may name
    a hospital or a study, and a project to log to. Of models, their names stay.
    """
    models = (config.teacher, config.adapt, config.distillation.guide)
    teacher, adapt, guide = (model and name_of(Path(model)) for model in models)
    distillation = replace(config.distillation, guide=guide)
    return replace(config, latents="", vae="", start="", table="", wandb="",
                   teacher=teacher, adapt=adapt, distillation=distillation)  # fmt: skip


def method(config: TrainConfig) -> str:
    """Return what a training was, in words."""
    objective = config.objective
    if objective.jvp == "none":
        kind = "rectified flow"
    elif config.teacher and config.distillation.target == "trajectory":
        kind = "average velocities along the trajectories of a rectified flow"
    else:
        source = " against the velocity of a rectified flow" if config.teacher else ""
        kind = f"MeanFlow{source}, tangent {objective.tangent}"

    closed = config.precondition.kind
    around = {"none": "", "skip": " with a skip", "gaussian": " about the flow of a Gaussian"}[
        closed
    ]
    return f"{kind}, {objective.predict}-prediction{around}"
