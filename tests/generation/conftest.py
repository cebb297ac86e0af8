from dataclasses import replace
from pathlib import Path

import pytest
import torch

from generation.support import SHAPE, model_config
from neuromf.autoencoder.components import LESION, Component
from neuromf.autoencoder.load import load_vae
from neuromf.autoencoder.mask_codes import load_mask_code
from neuromf.generation.model import save_model
from neuromf.latents.statistics import LatentStats
from support import TINY, randomised, tiny_unet


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory, vae_folder) -> Path:
    folder = tmp_path_factory.mktemp("model") / "tiny"
    state = tiny_unet(torch.float32).state_dict()
    save_model(folder, model_config(vae_folder), state, "# tiny\n", vae=str(vae_folder))
    return folder


@pytest.fixture(scope="session")
def pair_model(tmp_path_factory, vae_folder):
    """A model of images and masks that are means of blocks of 4 voxels."""
    vae = load_vae(str(vae_folder))
    code = load_mask_code("average", vae)
    plain = model_config(vae_folder)
    eye = tuple(tuple(float(i == j) for j in range(5)) for i in range(5))
    stats = LatentStats(
        (*plain.stats.mean, 0.5), (*plain.stats.std, 0.4), (0.0,) * 5, (0.0,) * 5, eye,
        (5, *SHAPE[1:]), 8, 8,
    )  # fmt: skip
    config = replace(
        plain,
        network=replace(TINY, latent_channels=5),
        components=(*plain.components, Component(LESION, code.space)),
        stats=stats,
        lesions="simulated fcd",
    )
    torch.manual_seed(0)
    state = randomised(config.build()).state_dict()
    folder = tmp_path_factory.mktemp("pairs") / "model"
    save_model(folder, config, state, "card", vae=str(vae_folder))
    return folder
