"""The last samples of a training as volumes to look at, where decoding them is quick."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from neuromf.autoencoder.frozen import FrozenVAE, check_space
from neuromf.autoencoder.load import decodes, load_vae
from neuromf.generation.decoding import decoded_volume
from neuromf.generation.model import VAE, ModelConfig, read_config
from neuromf.report.previews import CALLS
from neuromf.report.trained import Trained
from neuromf.reporting.viewer import Shown, shown

MOST_VOXELS = 3_000_000  # of a volume: larger ones take minutes on a CPU
QUICK = "small"  # what the name of a VAE that ships with the package begins with


class Decoded(NamedTuple):
    """Volumes of a run, or why there is none."""

    volumes: list[Shown]
    missing: str = ""


def decoded(run: Trained, calls: Sequence[str] = ("fewest", "most")) -> Decoded:
    """Return the first of the last samples of a run as volumes, drawn with the fewest and with the
    most network calls; the reason where they are not at hand or take long.
    """
    if not run.previews:
        return Decoded([], "the run drew no samples")
    try:
        config = read_config(run.folder)
        latents = _latents(run.previews[-1].picture)
        vae = _vae(run.folder, config)
        if vae is None:
            size = "×".join(str(n * config.vae.factor) for n in config.shape[1:])
            return Decoded([], f"volumes of {size} voxels by {config.vae.name} take long to decode")
        check_space(vae, config.vae, "the model was trained with", "decode with `generate`")
        chosen = {"fewest": min(latents), "most": max(latents)}
        wanted = dict.fromkeys(chosen[name] for name in calls)
        of = f"{run.name}, " if len(calls) == 1 else ""  # one of several runs
        label = f"{of}update {run.previews[-1].update}"
        volumes = [_volume(f"{label}, {in_words(k)}", latents[k], config, vae) for k in wanted]
    except FileNotFoundError:
        return Decoded([], "the model or its latents are not there: they are written at the end")
    except (OSError, ValueError, SafetensorError) as error:
        return Decoded([], f"its samples cannot be decoded ({error})")
    return Decoded(volumes)


@torch.no_grad()
def _volume(name: str, latents: Tensor, config: ModelConfig, vae: FrozenVAE) -> Shown:
    """Return the first of some normalised latents (N, C, D, H, W) as a volume."""
    if not torch.isfinite(latents[0]).all():
        raise ValueError("the sample holds NaN or Inf")
    latent = config.stats.denormalise(latents[:1])
    return shown(name, decoded_volume(latent, config.components, vae, config.spacing))


def in_words(calls: int) -> str:
    """Return a number of network calls as a reader wants it."""
    return f"{calls} call{'s' * (calls > 1)}"


def _latents(picture: Path) -> dict[int, Tensor]:
    """Return the latents beside a picture by network calls."""
    found = load_file(picture.with_suffix(".safetensors"))
    return {int(k.removeprefix(CALLS)): z for k, z in found.items() if k.startswith(CALLS)}


def _vae(folder: Path, config: ModelConfig) -> FrozenVAE | None:
    """Return the VAE that decodes a run's samples, None where that takes long."""
    if math.prod(config.shape[1:]) * config.vae.factor**3 > MOST_VOXELS:
        return None
    own = folder / "model" / VAE
    if own.is_dir():
        return load_vae(str(own), "cpu")
    return _shipped(config.vae.name) if config.vae.name.startswith(QUICK) else None


@functools.cache
def _shipped(name: str) -> FrozenVAE:
    return load_vae(decodes(name), "cpu")
