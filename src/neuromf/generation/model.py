"""A model folder: the network's averaged weights, and everything needed to draw
brains with them.
"""

from __future__ import annotations

import difflib
import math
import shutil
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from neuromf.autoencoder.components import IMAGE, Component, check_components
from neuromf.autoencoder.frozen import FrozenVAE, LatentSpace, check_space
from neuromf.autoencoder.load import decodes, load_vae
from neuromf.flow.path import Prediction
from neuromf.flow.sampler import Solver
from neuromf.latents.statistics import LatentStats
from neuromf.nets.config import Precondition, UNetConfig
from neuromf.nets.precondition import build
from neuromf.nets.variables import Conditions
from neuromf.pretrained.statedict import (
    WeightsError,
    check_sha256,
    load_strict,
    loaded,
    read_state,
    state_sha256,
)
from neuromf.runtime.device import Precision
from neuromf.runtime.fields import renamed
from neuromf.runtime.files import write_bytes, write_json, write_text
from neuromf.runtime.folders import cache_home, local_path
from neuromf.runtime.records import RecordError, as_record, read_json_object, read_record

CONFIG, WEIGHTS, CARD, VAE = "config.json", "model.safetensors", "README.md", "vae"
POPULATION = "population.csv"  # see generation.population
MODEL_FILES = (CONFIG, WEIGHTS, CARD, POPULATION, f"{VAE}/*")
KIND, FORMAT, READ = "meanflow", 2, (1, 2)  # 1: before keys were renamed
EMBEDDED = "embedded"
MAISI = "maisi-brain"  # a model that `neuromf weights get` makes


@dataclass(frozen=True)
class ModelConfig:
    """What a model is, apart from its weights."""

    name: str
    network: UNetConfig
    predict: Prediction
    solver: Solver  # euler or exponential for rectified flow
    latent_scale: float = field(
        metadata={"formerly": "scale"}
    )  # of the normalised latents on the path
    components: tuple[Component, ...]
    stats: LatentStats  # of the training latents; generation undoes their normalisation
    spacing: tuple[float, float, float]  # mm, of the volumes
    updates: int
    ema: float
    precondition: Precondition = field(default_factory=Precondition)
    conditions: Conditions = field(default_factory=Conditions)
    lesions: str = ""  # kinds of the simulated lesions it was trained on: simulated fcd

    def __post_init__(self) -> None:
        if not 0 < self.latent_scale < math.inf or not all(0 < s < math.inf for s in self.spacing):
            raise ValueError(
                f"latent_scale {self.latent_scale}, spacing {self.spacing} mm: finite numbers "
                "above 0"
            )
        check_components(self.components, self.stats.shape[0])
        if self.stats.shape[0] != self.network.latent_channels:
            raise ValueError(
                f"a network of {self.network.latent_channels} channels, latents of "
                f"{self.stats.shape[0]}: they must be equal"
            )

    @property
    def vae(self) -> LatentSpace:
        """The latent space of the first component, the image."""
        return self.components[0].vae

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a latent, (C, D, H, W)."""
        return self.stats.shape

    def build(self) -> nn.Module:
        """Return the network, with random weights."""
        scale, conditions = self.latent_scale, self.conditions
        return build(self.network, self.precondition, scale, self.shape, conditions)

    def to_json(self, sha256: str) -> dict[str, Any]:
        """Return what config.json holds."""
        return {"kind": KIND, "format": FORMAT, "sha256": sha256} | asdict(self)

    @classmethod
    def read(cls, path: Path) -> tuple[ModelConfig, str]:
        """Return what a config.json holds, and the fingerprint of its weights. Raises RecordError
        for other files.
        """
        record = read_json_object(path, "copy the folder again")
        found = (record.get("kind"), record.get("format"))
        if found[0] != KIND or found[1] not in READ:
            raise RecordError(
                f"{path}: kind {found[0]!r}, format {found[1]!r}; {KIND!r}, {FORMAT} is needed: "
                "give a folder that `neuromf train` wrote (its model/)"
            )

        if found[1] == 1:
            record["components"] = [{"name": IMAGE, "vae": record.pop("vae", None)}]
        record = renamed(record, cls)
        advice = "copy the folder again, or take the version that wrote it"
        return as_record(record, cls, str(path), advice), as_record(
            record.get("sha256"), str, f"{path}: sha256", advice
        )


@dataclass(frozen=True)
class Model:
    """A network with its configuration, in evaluation mode, and where it was read from."""

    config: ModelConfig
    network: nn.Module
    sha256: str  # of the network's state
    folder: Path

    @property
    def own_vae(self) -> str:
        """The VAE of the model's latents, as `load_vae` takes it: the one in the model's folder,
        else the one that the model names.
        """
        own = self.folder / VAE
        return str(own) if own.is_dir() else self.config.vae.name

    def load_vae(
        self, device: torch.device | str, precision: Precision = "float32", name: str = ""
    ) -> FrozenVAE:
        """Return the VAE that decodes: the one called `name` if given, else what generated latents
        of the model's own are decoded with.

        Raises ValueError if its latent space is not the one that the model was trained in.
        """
        vae = load_vae(name or decodes(self.own_vae), device, precision)
        check_space(
            vae,
            self.config.vae,
            "the model was trained with",
            "give the folder or file of that one with decoder=",
        )
        return vae


def save_model(
    folder: Path,
    config: ModelConfig,
    state: dict[str, Tensor],
    card: str,
    *,
    vae: str = "",
    half: bool = False,
) -> None:
    """Write a model folder: weights first, config.json last, which marks it as complete.

    `vae` is the folder of a VAE that does not ship with the package; it is copied into
    the model folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dtype = torch.float16 if half else torch.float32
    network = config.build()
    stored = {k: v.detach().to("cpu", dtype).contiguous() for k, v in state.items()}
    load_strict(network, stored, "the trained network")
    if vae:
        shutil.copytree(vae, folder / VAE, dirs_exist_ok=True, ignore=_other_than_weights)
    write_bytes(folder / WEIGHTS, save(stored))
    write_text(folder / CARD, card)
    write_json(folder / CONFIG, config.to_json(state_sha256(stored)))


def load_model(name: str | Path, device: torch.device | str = "cpu") -> Model:
    """Return the model in a folder (or a training's folder), `embedded`, or on the Hugging Face
    hub as owner/name.

    Raises FileNotFoundError, ValueError or WeightsError if it is not a model, or is damaged.
    """
    folder = find_model(str(name))
    path = folder / CONFIG
    config, expected = ModelConfig.read(path)
    network = loaded(config.build, read_state(folder / WEIGHTS), str(folder / WEIGHTS))
    sha256 = state_sha256(network.state_dict())
    check_sha256(folder / WEIGHTS, sha256, expected)
    return Model(config, network.to(device).eval().requires_grad_(False), sha256, folder)


def read_config(name: str | Path) -> ModelConfig:
    """Return what a model is, without its weights. Raises as `load_model` does."""
    return ModelConfig.read(find_model(str(name)) / CONFIG)[0]


def find_model(name: str) -> Path:
    """Return the folder of a model, downloaded from the hub if the name is owner/name and no such
    folder is here.
    """
    if name == EMBEDDED:
        name = str(resources.files("neuromf") / "weights" / "small2mm")
    folder = local_path(name)
    if name == MAISI and not folder.exists():
        folder = fetched_folder(name)
        if not (folder / CONFIG).is_file():
            raise FileNotFoundError(
                f"model={name} is not here: `neuromf weights get {name}`, or on a machine without "
                f"a network `neuromf weights get {name} --from FILE`"
            )
    for candidate in (folder, folder / "model"):
        if (candidate / CONFIG).is_file():
            return candidate

    if (folder / "checkpoints").is_dir():
        raise FileNotFoundError(
            f"model={name}: its training has not ended; `neuromf export run={name} out=FOLDER` "
            "makes a model of its last checkpoint"
        )
    if folder.exists() or name.count("/") != 1 or name.startswith((".", "~", "/")):
        meant = (
            f" (did you mean {EMBEDDED}?)" if difflib.get_close_matches(name, [EMBEDDED]) else ""
        )
        raise FileNotFoundError(
            f"model={name}: no folder with {CONFIG} and {WEIGHTS} in it{meant}; give a folder "
            f"that `neuromf train` wrote, {EMBEDDED}, or owner/name on the Hugging Face hub"
        )

    return _fetched(name)


def fetched_folder(name: str) -> Path:
    """Return the folder of a model that `neuromf weights get` makes."""
    return cache_home() / "models" / name


def _fetched(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise FileNotFoundError(
            f"model={name}: no such folder here; to look on the "
            "Hugging Face hub: pip install 'neuromf[hub]'"
        ) from None

    repository, _, revision = name.partition("@")
    try:
        patterns = list(MODEL_FILES)
        found = snapshot_download(repository, revision=revision or None, allow_patterns=patterns)
    except Exception as error:  # the hub's are many
        raise FileNotFoundError(
            f"model={name}: no such folder here, and the hub did not give it "
            f"({str(error).splitlines()[0]})"
        ) from None

    if not (Path(found) / CONFIG).is_file():
        raise FileNotFoundError(
            f"model={name}: that repository holds no {CONFIG} of a NeuroMF model"
        )

    refuse_another(name, Path(found), cache_home() / "hub.json")
    return Path(found)


def refuse_another(name: str, folder: Path, known: Path) -> None:
    """Record the fingerprint of a model at its first use. Raises WeightsError if the same name has
    another one now.
    """
    fingerprints = (
        read_record(known, dict[str, str], "delete it, if it is damaged") if known.is_file() else {}
    )
    sha256 = ModelConfig.read(folder / CONFIG)[1]
    first = fingerprints.get(name)
    if first is None:
        known.parent.mkdir(parents=True, exist_ok=True)
        write_json(known, fingerprints | {name: sha256})
    elif first != sha256:
        raise WeightsError(
            f"model={name} was {first[:16]} when it was first used, and is {sha256[:16]} now: "
            f"name the revision that is meant (model={name}@COMMIT), or take its line out of "
            f"{known} if the new one is right"
        )


def _other_than_weights(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name not in {CONFIG, WEIGHTS, CARD}}
