from pathlib import Path

import pytest

from training.support import latent_store


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> Path:
    return latent_store(tmp_path_factory.mktemp("training") / "latents")
