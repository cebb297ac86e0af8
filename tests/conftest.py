"""Fixtures that several test files share."""

from pathlib import Path

import pytest
import torch

from neuromf.autoencoder.components import image_of
from neuromf.latents.store import LatentEntry, write_index, write_shard
from neuromf.phantoms import draw
from support import (
    LATENT_SHAPE,
    STORE_VAE,
    Gaussian,
    coarse_mask,
    coarse_template,
    known_latents,
    tiny_cohort,
    tiny_vae,
)

torch.set_num_threads(1)  # tests run side by side


@pytest.fixture
def gaussian() -> Gaussian:
    return Gaussian(
        torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64),
        torch.tensor([0.3, 1.5, 0.8], dtype=torch.float64),
    )


@pytest.fixture(scope="session")
def cohort(tmp_path_factory) -> Path:
    """Eight small prepared volumes."""
    return tiny_cohort(tmp_path_factory.mktemp("cohort") / "volumes")


@pytest.fixture(scope="session")
def vae_folder(tmp_path_factory) -> Path:
    """An untrained small VAE."""
    return tiny_vae(tmp_path_factory.mktemp("vae") / "vae")


@pytest.fixture
def coarse_mni152(monkeypatch):
    """Phantoms drawn in this process are of the average at 4 mm: to smooth the one of 1 mm is most
    of their cost.
    """
    monkeypatch.setattr(draw, "mni152", coarse_template)
    monkeypatch.setattr(draw, "mni152_mask", coarse_mask)
    draw.lowered_template.cache_clear()
    yield
    draw.lowered_template.cache_clear()


@pytest.fixture(scope="session")
def store_folder(tmp_path_factory):
    """Twelve latents in three shards; eight for training."""
    folder = tmp_path_factory.mktemp("latents") / "store"
    folder.mkdir()
    entries = []
    latents = known_latents()
    for number in range(3):
        part = []
        for i in range(4 * number, 4 * number + 4):
            split = "train" if i < 8 else "val" if i < 10 else "test"
            entry = LatentEntry(
                f"s{i:02d}",
                f"s{i:02d}",
                split,
                f"shard-{number:05d}",
                group="g",
                affine=((2.0, 0, 0, 1), (0, 2.0, 0, 1), (0, 0, 2.0, 1), (0, 0, 0, 1.0)),
            )
            part.append((entry, latents[i], 0.1 * latents[i].abs()))
        entries += write_shard(folder, f"shard-{number:05d}", image_of(STORE_VAE), part)
    write_index(folder, image_of(STORE_VAE), LATENT_SHAPE, entries, sigma=True)
    return folder
