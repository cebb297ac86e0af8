from pathlib import Path

import pytest

from neuromf.autoencoder.load import load_vae
from training.support import latent_store


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> Path:
    return latent_store(tmp_path_factory.mktemp("training") / "latents")


@pytest.fixture(scope="session")
def decodable(vae_folder, tmp_path_factory) -> Path:
    """A store whose latents the tiny VAE decodes."""
    space = load_vae(str(vae_folder)).space
    return latent_store(tmp_path_factory.mktemp("decoded") / "latents", vae=space)
