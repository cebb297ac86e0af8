"""A model folder whose network and VAE are small and not zero."""

from dataclasses import replace
from pathlib import Path

import torch

from neuromf.autoencoder.components import LESION, Component, image_of
from neuromf.autoencoder.load import load_vae
from neuromf.autoencoder.mask_codes import load_mask_code
from neuromf.generation.model import ModelConfig, save_model
from neuromf.latents.statistics import LatentStats
from support import TINY, randomised

SHAPE = (4, 4, 6, 4)


def model_config(vae: Path, **changes) -> ModelConfig:
    """A model of tiny latents."""
    loaded = load_vae(str(vae))
    components = image_of(loaded.space)
    eye = tuple(tuple(float(i == j) for j in range(4)) for i in range(4))
    stats = LatentStats((1.0, 0, 0, -1), (2.0, 1, 1, 0.5), (0.0,) * 4, (0.0,) * 4, eye, SHAPE, 8, 8)
    values = {
        "name": "tiny", "network": TINY, "predict": "x", "solver": "average", "latent_scale": 0.5, "components": components,
        "stats": stats,
        "spacing": (6.0, 6.0, 5.0), "updates": 3, "ema": 0.9,
    }  # fmt: skip
    return ModelConfig(**(values | changes))


def pairs(folder: Path, vae_folder: Path, code: str) -> Path:
    """A model of images and masks in a folder, the masks coded as `code` says."""
    space = load_mask_code(code, load_vae(str(vae_folder))).space
    plain, n = model_config(vae_folder), 4 + space.channels
    eye = tuple(tuple(float(i == j) for j in range(n)) for i in range(n))
    mean = (*plain.stats.mean, *[0.5] * space.channels)
    std = (*plain.stats.std, *[0.4] * space.channels)
    stats = LatentStats(mean, std, (0.0,) * n, (0.0,) * n, eye, (n, *SHAPE[1:]), 8, 8)
    config = replace(
        plain,
        network=replace(TINY, latent_channels=n),
        components=(*plain.components, Component(LESION, space)),
        stats=stats,
        lesions="simulated fcd",
    )
    torch.manual_seed(0)
    state = randomised(config.build()).state_dict()
    save_model(folder / "model", config, state, "card", vae=str(vae_folder))
    return folder / "model"
