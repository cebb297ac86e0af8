from pathlib import Path

import pytest
import torch

from generation.support import model_config, pairs
from neuromf.generation.model import save_model
from support import tiny_unet


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory, vae_folder) -> Path:
    folder = tmp_path_factory.mktemp("model") / "tiny"
    state = tiny_unet(torch.float32).state_dict()
    save_model(folder, model_config(vae_folder), state, "# tiny\n", vae=str(vae_folder))
    return folder


@pytest.fixture(scope="session")
def pair_model(tmp_path_factory, vae_folder) -> Path:
    """A model of images and masks that are means of blocks of 4 voxels."""
    return pairs(tmp_path_factory.mktemp("pairs"), vae_folder, "average")
