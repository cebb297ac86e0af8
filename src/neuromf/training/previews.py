"""Samples from noise that never changes, so that progress can be seen:
latents, slices, statistics.
"""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.generation.generator import noise_of
from neuromf.latents.statistics import LatentStats
from neuromf.reporting.slices import Picture, sheet, slices
from neuromf.reporting.slices import save as save_picture
from neuromf.runtime.device import autocast, say_memory
from neuromf.runtime.files import write_bytes, write_json
from neuromf.training.callback import Look
from neuromf.training.config import TrainConfig
from neuromf.training.log import Meter, Row
from neuromf.training.loop import MeanFlowModule

log = logging.getLogger("neuromf")
PICTURE_GB = 4.0  # memory that decoding for a picture may take


class SampleLook(Look):
    """Draws the same few samples at several numbers of network calls, from the averaged weights."""

    what = "samples from fixed noise, into samples/"

    def __init__(
        self,
        meter: Meter,
        out: Path,
        config: TrainConfig,
        stats: LatentStats,
        vae: FrozenVAE | None,
    ) -> None:
        super().__init__(meter)
        self.folder, self.config, self.stats, self.vae = out / "samples", config, stats, vae
        self.every = config.samples.every or config.updates  # never is at the end
        self.at_end = True

    def look(self, module: MeanFlowModule) -> None:
        """Write update-N.safetensors (normalised latents, calls_K),
        update-N.png and update-N.json.
        """
        drawn = draw(module, self.config, self.stats.shape)
        self.folder.mkdir(exist_ok=True)
        stem = self.folder / f"update-{module.update:08d}"
        write_bytes(
            stem.with_suffix(".safetensors"),
            save({f"calls_{k}": z.contiguous() for k, z in drawn.items()}),
        )
        statistics = {f"calls_{calls}": moments(z) for calls, z in drawn.items()}
        write_json(stem.with_suffix(".json"), {"update": module.update} | statistics)
        pictures = [self._picture(z) for latents in drawn.values() for z in latents]
        labels = [
            f"{calls} call{'s' * (calls > 1)}, noise {i}"
            for calls, latents in drawn.items()
            for i in range(len(latents))
        ]
        save_picture(
            stem.with_suffix(".png"), sheet(pictures, labels, columns=self.config.samples.n)
        )
        for calls, values in statistics.items():
            self.meter.scalars(
                {f"samples/{calls}/{k}": v for k, v in values.items()}, module.update
            )

    def _picture(self, latent: Tensor) -> Picture:
        """Return slices of a normalised latent (C, D, H, W): decoded, or without a
        VAE those of its first channel.
        """
        if self.vae is not None:
            try:
                with say_memory("decoding a picture", "vae=small"):
                    volume = self.vae.decode(self.stats.denormalise(latent[None]), PICTURE_GB)[0, 0]
                return slices(volume.cpu().numpy())
            except ValueError as error:  # no reason to lose a training
                log.warning("pictures show latents from here on: %s", error)
                self.vae = None
        return slices(latent[0].cpu().numpy(), low=-3, high=3)


@torch.no_grad()
def draw(module: MeanFlowModule, config: TrainConfig, shape: tuple[int, ...]) -> dict[int, Tensor]:
    """Return normalised latents (n, C, D, H, W) by number of calls, all from the same noise."""
    noise = torch.cat([noise_of(shape, i, config.seed) for i in range(config.samples.n)]).to(
        module.device
    )
    return {calls: sample_in_parts(module, noise, calls) for calls in config.samples.calls}


@torch.no_grad()
def sample_in_parts(module: MeanFlowModule, noise: Tensor, calls: int) -> Tensor:
    """Return samples of the averaged network as normalised latents, float32, no more
    at once than a training batch.
    """
    config = module.config
    with autocast(module.device, config.precision):
        parts = [
            config.objective.sample(module.average, part, calls)
            for part in noise.split(config.batch)
        ]
    return torch.cat(parts).float() / config.scale


def moments(z: Tensor) -> Row:
    """Return mean and standard deviation of each channel of normalised latents:
    0 and 1 in the training data.
    """
    means, deviations = z.mean((0, 2, 3, 4)).tolist(), z.std((0, 2, 3, 4)).tolist()
    return {f"mean_{c}": m for c, m in enumerate(means)} | {
        f"std_{c}": s for c, s in enumerate(deviations)
    }
