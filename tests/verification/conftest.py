"""A small model and a store of latents that its VAE made."""

from pathlib import Path

import pytest
import torch

from generation.support import model_config
from neuromf.generation.model import save_model
from neuromf.latents.encode import EncodeConfig
from neuromf.latents.encode import run as encode
from neuromf.latents.statistics import LatentStats
from support import tiny_cohort, tiny_unet


@pytest.fixture(scope="session")
def encoded(tmp_path_factory, vae_folder) -> Path:
    """Latents (4, 6, 8, 6) of eight small volumes."""
    out = tmp_path_factory.mktemp("encoded") / "latents"
    cohort = tiny_cohort(out.with_name("volumes"), shape=(24, 32, 24))
    encode(EncodeConfig(volumes=[str(cohort)], vae=str(vae_folder), device="cpu"), out)
    return out


@pytest.fixture(scope="session")
def model(tmp_path_factory, vae_folder, encoded) -> Path:
    """A network at random for latents of that shape."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    config = model_config(vae_folder, stats=LatentStats.load(encoded))
    save_model(
        folder, config, tiny_unet(torch.float32).state_dict(), "# tiny\n", vae=str(vae_folder)
    )
    return folder
