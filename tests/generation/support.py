"""A model folder whose network and VAE are small and not zero."""

from pathlib import Path

from neuromf.autoencoder.components import image_of
from neuromf.autoencoder.load import load_vae
from neuromf.generation.model import ModelConfig
from neuromf.latents.statistics import LatentStats
from support import TINY

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
