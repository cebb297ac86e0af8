"""The error of one-call samples to a teacher's samples from the same noise, which are drawn
once.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from neuromf.features.measure import fingerprint
from neuromf.flow.network import Condition, split_condition
from neuromf.metrics.bands import band_error, by_band
from neuromf.runtime.device import autocast, float64
from neuromf.runtime.files import write_bytes
from neuromf.training.config import TrainConfig
from neuromf.training.state import Row
from neuromf.training.teacher import Teacher

MOST, CALLS = 16, 32  # noises that the teacher draws from, and its network calls for each


class TeacherError:
    """Compares samples with those that a teacher drew from the same noise in many calls: normalised
    latents `reference` (N, C, D, H, W), and the mean latent (C, D, H, W).

    Both sets start from the same noise, so the error has none of the chance that a distance
    between two sets has. Raises ValueError without a reference.
    """

    def __init__(self, reference: Tensor, mean: Tensor) -> None:
        if reference.ndim != 5 or not len(reference) or reference.shape[1:] != mean.shape:
            raise ValueError(
                f"reference {tuple(reference.shape)}, mean {tuple(mean.shape)}: latents "
                "(N, C, D, H, W), one or more, and their mean (C, D, H, W)"
            )
        self.reference, self.mean = reference.cpu(), mean.cpu()

    def row(self, samples: Tensor) -> Row:
        """Return `error`, and error_1 to error_8 by frequency band from low to high, of as many
        samples as there are of both; number i of both is of noise i. Bands without a wave, which
        small latents have, are left out.
        """
        n = min(len(samples), len(self.reference))
        found = band_error(samples[:n].cpu(), self.reference[:n], self.mean)
        return {"error": found.whole} | by_band("error", found.bands)


def teacher_samples(
    teacher: Teacher,
    noise: Tensor,
    config: TrainConfig,
    folder: Path,
    condition: Condition | None = None,
) -> Tensor:
    """Return normalised latents (N, C, D, H, W), on the CPU, that a teacher draws in 32 calls from
    the first 16 of some noises (n, C, D, H, W), under their conditions. They are kept in `folder`
    for later starts of the run.
    """
    noise = noise[:MOST]
    conditions = split_condition(condition, len(noise), config.batch)
    told = [(k, float64(v).nansum().item()) for k, v in (condition or {}).items()]
    about = (
        teacher.sha256,
        CALLS,
        config.latent_scale,
        config.precision,
        float(float64(noise).sum()),
        *told,
    )
    path = folder / f"teacher-{fingerprint(*about)[:16]}.safetensors"
    if path.is_file():
        return load_file(path)["samples"]

    with torch.no_grad(), autocast(noise.device, config.precision):
        parts = [
            teacher.trajectory(z, CALLS, own)[-1]
            for z, own in zip(noise.split(config.batch), conditions, strict=True)
        ]
    samples = (torch.cat(parts).float() / config.latent_scale).cpu()
    folder.mkdir(exist_ok=True)
    write_bytes(path, save({"samples": samples}))
    return samples
