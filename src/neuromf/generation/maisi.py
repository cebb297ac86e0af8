"""MAISI's rectified flow (NV-Generate-MR-Brain) as a model of ours: the same velocity, by the same
weights.

Their network takes a point, 1000 t, the spacing of the voxels and a class of images, and predicts
image - noise. Ours takes a point and two times, and a rectified flow predicts noise - image. The
output's sign is turned; the spacing, which is the same for all samples, and the sinusoids' unit of
time move into weights; the class becomes a condition.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neuromf.autoencoder.components import image_of
from neuromf.autoencoder.frozen import LatentSpace
from neuromf.generation.model import MAISI, MODEL_FILES, ModelConfig, save_model
from neuromf.latents.statistics import LatentStats
from neuromf.nets.config import BRAIN, UNetConfig
from neuromf.nets.unet import stock_network
from neuromf.nets.variables import Conditions, Variable
from neuromf.pretrained.download import REMOTES, cached_weights
from neuromf.pretrained.statedict import WeightsError, loaded, plain, read_pickle, read_state
from neuromf.runtime.folders import Output
from neuromf.runtime.run import open_run
from neuromf.runtime.shell import typed

FACTOR = 4
SCALE = "scale_factor"  # of the latents, in their file
THOUSAND, PERIOD = 1000.0, 10_000.0  # their time at noise, and the sinusoids' slowest period
CLASSES = 128
NOTHING = 0  # their class of images of which nothing is known
# their classes; those from 29 on are stripped of the skull
CODES = {
    "T1w": 29, "T2w": 30, "FLAIR": 31, "SWI": 32, "MRA": 33,
    "MRI-head": 8, "T1w-head": 9, "T2w-head": 10, "FLAIR-head": 11, "MRA-head": 16, "SWI-head": 20,
}  # fmt: skip
OUTPUT = Output("import-maisi", MODEL_FILES)


@dataclass(frozen=True)
class ImportMaisiConfig:
    """Which volumes MAISI's flow is to draw."""

    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)  # mm, from 0.5 to 5 in its training
    size: tuple[int, int, int] = (192, 192, 192)  # voxels, multiples of 32

    def __post_init__(self) -> None:
        if not all(0 < s < math.inf for s in self.spacing):
            raise ValueError(f"spacing is {self.spacing} mm: finite numbers above 0")
        divisor = FACTOR * BRAIN.divisor
        if any(n < divisor or n % divisor for n in self.size):
            raise ValueError(f"size is {self.size} voxels: multiples of {divisor}")


def run(
    config: ImportMaisiConfig, out: Path, *, resume: bool = False, overwrite: bool = False
) -> Path:
    """Write MAISI's flow, whose weights `neuromf weights get maisi-brain` fetched, as a model
    folder and return it. Raises FileNotFoundError or WeightsError where they are not there.
    """
    state = read_state(cached_weights(MAISI))
    with open_run(out, config, OUTPUT, (), resume=resume, overwrite=overwrite):
        write_model(out, state, config)
        print(f"{out}: {REMOTES[MAISI].licence}")
        words = ("nfe=30", "guidance=2", "condition.contrast=T1w", "n=4")
        print(f"to draw from it: {typed('neuromf', 'generate', f'model={out}', *words)}")
    return out


def write_model(folder: Path, state: Mapping[str, Tensor], config: ImportMaisiConfig) -> None:
    """Write the model folder of their network's state, which holds the scale of the latents too."""
    own = dict(state)
    scale = float(own.pop(SCALE))
    shape = (BRAIN.latent_channels, *(n // FACTOR for n in config.size))
    model = model_config(translated(BRAIN), shape, config.spacing, scale)
    save_model(folder, model, folded(own, BRAIN, config.spacing), card(config))


def read_flow(file: Path) -> dict[str, Tensor]:
    """Return the state of their network in a file that was downloaded, with the scale of the
    latents. Raises WeightsError where one of them is missing.
    """
    state = read_state(file)
    if SCALE not in state:
        content: Any = {} if file.suffix == ".safetensors" else read_pickle(file)
        if SCALE not in content:
            raise WeightsError(f"{file}: holds no {SCALE}, by which latents are multiplied")
        state[SCALE] = plain(torch.as_tensor(content[SCALE])).float()
    return state


def check_flow(state: Mapping[str, Tensor], what: str) -> None:
    """Raise WeightsError, naming the first keys that differ, where a state is not that of their
    network with a scale.
    """
    if SCALE not in state or not float(state[SCALE]) > 0:
        raise WeightsError(f"{what}: {SCALE} is {state.get(SCALE)}: a number above 0 is needed")
    loaded(lambda: their_network(BRAIN), {k: v for k, v in state.items() if k != SCALE}, what)


def their_network(config: UNetConfig) -> Any:
    """Return their network with random weights: the body of ours, with spacing and classes."""
    return stock_network(config, include_spacing_input=True, num_class_embeds=CLASSES)


def translated(config: UNetConfig) -> UNetConfig:
    """Return the sizes of a network whose sinusoids of t are theirs of 1000 t."""
    waves = config.channels[0] // 2
    lowest = THOUSAND * PERIOD ** (-(waves - 1) / waves)
    return replace(config, lowest_frequency=lowest, highest_frequency=THOUSAND)


def contrasts() -> Conditions:
    """Return their classes of images as conditions."""
    return Conditions((Variable("contrast", tuple(CODES)),))


def folded(
    state: Mapping[str, Tensor], config: UNetConfig, spacing: Sequence[float]
) -> dict[str, Tensor]:
    """Return the state of our network of these sizes (`translated`) with their state, for voxels
    of `spacing` mm. The branch of the interval adds zero.

    In each residual block a linear layer takes the embedding of time and class, and beside it that
    of the spacing. The second part is a constant, which goes into the layer's bias; it is computed
    in float64, so that its last digit does not depend on the machine's order of summation.
    """
    width = 4 * config.channels[0]
    constant = F.silu(spacing_embedding(state, spacing))
    own = {}
    for name, value in state.items():
        if name.startswith(("spacing_layer.", "class_embedding.")):
            continue
        if name.endswith("time_emb_proj.weight"):
            own[f"body.{name}"] = value[:, :width].clone()
        elif name.endswith("time_emb_proj.bias"):
            weight = state[f"{name.removesuffix('bias')}weight"]
            own[f"body.{name}"] = value + (weight[:, width:].double() @ constant).to(value)
        elif name.startswith("out.2."):
            own[f"body.{name}"] = -value
        else:
            own[f"body.{name}"] = value

    classes = state["class_embedding.weight"]
    rows = [*CODES.values(), NOTHING]
    own["condition_embed.variables.contrast.vectors"] = classes[rows].clone()
    return own | silent_interval(config)


def spacing_embedding(state: Mapping[str, Tensor], spacing: Sequence[float]) -> Tensor:
    """Return what their network makes of the spacing in mm, which it takes in hundredths, in
    float64.
    """
    x = 100 * torch.tensor(spacing, dtype=torch.float64)
    first, second = (
        {part: state[f"spacing_layer.{n}.{part}"].double() for part in ("weight", "bias")}
        for n in (0, 2)
    )
    hidden = F.silu(first["weight"] @ x + first["bias"])
    return second["weight"] @ hidden + second["bias"]


def silent_interval(config: UNetConfig) -> dict[str, Tensor]:
    """Return the state of a branch of the interval that adds zero and can learn."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        width = 4 * config.channels[0]
        first, last = nn.Linear(config.channels[0], width), nn.Linear(width, width)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    layers = {"interval_embed.0": first, "interval_embed.2": last}
    return {f"{name}.{k}": v for name, m in layers.items() for k, v in m.state_dict().items()}


def model_config(
    network: UNetConfig, shape: tuple[int, ...], spacing: tuple[float, float, float], scale: float
) -> ModelConfig:
    """Return what their flow is, for latents (C, D, H, W) that it multiplies by `scale`."""
    channels = shape[0]
    eye = tuple(tuple(float(i == j) for j in range(channels)) for i in range(channels))
    zeros = (0.0,) * channels
    stats = LatentStats(zeros, (1 / scale,) * channels, zeros, zeros, eye, shape, 1, 1)
    return ModelConfig(
        name=MAISI,
        network=network,
        predict="u",
        solver="rflow",
        latent_scale=1.0,
        components=image_of(LatentSpace("maisi", "", channels, FACTOR, "encoder")),
        stats=stats,
        spacing=spacing,
        updates=0,
        ema=0.0,
        conditions=contrasts(),
    )


def card(config: ImportMaisiConfig) -> str:
    """Return README.md of the folder."""
    remote = REMOTES[MAISI]
    size, spacing = (" x ".join(f"{n:g}" for n in v) for v in (config.size, config.spacing))
    return (
        f"# {MAISI}\n\nNVIDIA's rectified flow of brain MRI, MAISI-v2 (arXiv 2508.05772), "
        f"{remote.repository}/{remote.file}, in NeuroMF's format, for volumes of {size} voxels of "
        f"{spacing} mm.\n\nLicence of the weights: {remote.licence}.\n\n"
        "Statistics of its latents are not known: mean 0 and the inverse of its scale stand for "
        "them, by which it draws what it always drew.\n\n"
        "It is sampled with 30 steps and a guidance of 2, which are 60 network calls:\n\n"
        f"    neuromf generate model=FOLDER nfe=30 guidance=2 condition.contrast=T1w n=4\n\n"
        f"Contrasts: {', '.join(CODES)}; `-head` is with the skull.\n"
    )
