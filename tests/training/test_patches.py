from dataclasses import replace

import torch

from neuromf.data.cohort import read_cohort
from neuromf.training.patches import Patches
from neuromf.training.vae_config import TrainVAEConfig
from support import TINY_VAE


def test_patches_depend_on_seed_and_number_alone(cohort):
    config = TrainVAEConfig(network=TINY_VAE, updates=12, batch=2, patch=16)
    training = [[e for e in read_cohort(cohort) if e.split == "train"]]
    patches = Patches(training, config)
    assert patches[3][0].x.shape == (2, 1, 16, 16, 16)
    assert torch.equal(patches[3][0].x, Patches(training, replace(config, updates=99))[3][0].x)
    assert not torch.equal(patches[3][0].x, patches[4][0].x)
    assert not torch.equal(patches[3][0].x, Patches(training, replace(config, seed=1))[3][0].x)
    assert all((patches[i][0].x > 0).any() for i in range(5))
    large = Patches(training, replace(config, patch=48))[0][
        0
    ].x  # larger than the volumes: zeros around
    assert large.shape == (2, 1, 48, 48, 48)
