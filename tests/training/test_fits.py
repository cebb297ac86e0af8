"""What of a training fits into memory: the estimate of the preflight, and a batch to take."""

import re
from dataclasses import replace

import pytest

from neuromf.latents.store import LatentStore
from neuromf.runtime.config import ConfigError, load
from neuromf.training import fits
from neuromf.training.config import TrainConfig
from training.support import latent_store, tiny_config


def test_what_of_a_training_fits(tmp_path):
    store = latent_store(tmp_path / "latents")
    text = fits.report(tiny_config(store, batch=2, accumulate=3))
    shape = " x ".join(str(n) for n in LatentStore(store).shape)
    assert re.search(rf"latents +{shape}, \d+ subjects", text)
    assert re.search(r"checkpointing +batch 1 +batch 2 +batch 3 +batch 6 +largest", text)
    assert re.search(r"batch=2 accumulate=3 network.checkpointing=false needs .* it fits", text)
    assert "proposal   batch=6 accumulate=1 network.checkpointing=false" in text
    assert "not counted" in text  # the VAE of these latents is not at hand


def test_latents_that_are_not_made_yet():
    config, shape = load(TrainConfig, ["preset=brain192"], "train"), fits.read_shape("4,48,48,48")
    text = fits.report(config, shape, 4.0)
    assert "4.0 GB, as asked" in text
    assert "178.6 million parameters" in text
    assert "it does not fit" in text
    assert re.search(r"proposal   none: a single latent needs [5-7]\.\d GB free", text)
    larger = fits.report(replace(config, devices=2), shape, 80.0)
    assert "batch=16 accumulate=1 network.checkpointing=false, the same 32 latents" in larger
    with pytest.raises(ConfigError, match=r"--shape 4,48,48,48"):
        fits.report(replace(config, latents=""))
    with pytest.raises(ConfigError, match="leave out --shape"):
        fits.report(replace(config, latents="latents"), shape)
    for memory in (-3.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="--memory"):
            fits.report(config, shape, memory)


def test_a_shape_is_four_numbers():
    assert fits.read_shape("4x48x48x40") == (4, 48, 48, 40)
    assert fits.read_shape("") == ()
    for text in ("4,48,48", "4,48,48,0", "a,b,c,d", "4,-8,8,8"):
        with pytest.raises(ConfigError, match="channels and three sizes"):
            fits.read_shape(text)
