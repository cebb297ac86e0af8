"""Samples from noise that never changes, so that progress can be seen:
latents, slices, statistics.
"""

from __future__ import annotations

import logging
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from neuromf.autoencoder.components import first
from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.flow import sample
from neuromf.flow.network import Condition, split_condition
from neuromf.flow.path import Prediction
from neuromf.flow.sampler import Solver
from neuromf.generation.generator import noise_of
from neuromf.latents.statistics import LatentStats
from neuromf.reporting.slices import Picture, sheet, slices
from neuromf.reporting.slices import save as save_picture
from neuromf.runtime.device import Precision, autocast, explain_oom
from neuromf.runtime.files import write_bytes, write_json
from neuromf.training.bar import Bar
from neuromf.training.callback import PeriodicCallback
from neuromf.training.config import TrainConfig
from neuromf.training.log import Log
from neuromf.training.loop import Loop
from neuromf.training.state import Row
from neuromf.training.watched import DECODE_GB, Watched

log = logging.getLogger("neuromf")


class Previews(PeriodicCallback):
    """Draws the same few samples at several numbers of network calls, from the averaged weights."""

    what = "samples from fixed noise, into samples/"
    at_end = True

    def __init__(
        self,
        log: Log,
        bar: Bar,
        out: Path,
        config: TrainConfig,
        stats: LatentStats,
        vae: FrozenVAE | None,
        condition: Condition | None = None,
    ) -> None:
        self.condition = condition
        # Without a period there are previews at the end alone.
        super().__init__(log, bar, config.samples.every or config.updates, config.updates)
        self.folder, self.config, self.stats, self.vae = out / "samples", config, stats, vae

    @classmethod
    def of(cls, run: Watched) -> list[Previews]:
        """Return the previews of a run."""
        stats = run.data.train.stats
        condition = run.data.condition(run.config.samples.n)
        return [cls(run.log, run.bar, run.out, run.config, stats, run.vae, condition)]

    def observe(self, loop: Loop) -> None:
        """Write update-N.safetensors (normalised latents, calls_K), update-N.png and
        update-N.json.
        """
        update, wanted = loop.state.update, self.config.samples
        noise = fixed_noise(self.stats.shape, wanted.n, self.config.seed).to(loop.device)
        sampler = Sampler.of(self.config)
        drawn = {nfe: sampler.draw(loop.average, noise, nfe, self.condition) for nfe in wanted.nfe}

        self.folder.mkdir(exist_ok=True)
        stem = self.folder / f"update-{update:08d}"
        tensors = {f"calls_{nfe}": z.contiguous() for nfe, z in drawn.items()}
        before = earlier_look(self.folder, update)
        write_bytes(stem.with_suffix(".safetensors"), save(tensors))
        most = drawn[max(drawn)]
        statistics = {
            name: moments(z)
            | {"to_most_calls": difference(z, most)}
            | ({"since_last_look": difference(z, before[name])} if name in before else {})
            for name, z in tensors.items()
        }
        write_json(stem.with_suffix(".json"), {"update": update} | statistics)

        pictures = [self._picture(z, loop.device) for latents in drawn.values() for z in latents]
        labels = [
            f"{nfe} call{'s' * (nfe > 1)}, noise {i}"
            for nfe, latents in drawn.items()
            for i in range(len(latents))
        ]
        picture = sheet(pictures, labels, columns=wanted.n)
        save_picture(stem.with_suffix(".png"), picture)
        self.run_log.picture("samples", picture, update)
        for name, values in statistics.items():
            self.run_log.scalars({f"samples/{name}/{k}": v for k, v in values.items()}, update)

    def _picture(self, latent: Tensor, device: torch.device) -> Picture:
        """Return slices of a normalised latent (C, D, H, W): decoded, or without a
        VAE those of its first channel.
        """
        if self.vae is not None:
            try:
                with explain_oom("decoding a picture", "vae=small"), self.vae.on(device) as vae:
                    image = first(self.stats.denormalise(latent[None]), vae)
                    volume = vae.decode(image, DECODE_GB)[0, 0]
                return slices(volume.cpu().numpy())
            except ValueError as error:  # no reason to lose a training
                log.warning("pictures show latents from here on: %s", error)
                self.vae = None
        return slices(latent[0].cpu().numpy(), low=-3, high=3)


@dataclass(frozen=True)
class Sampler:
    """How a network in training is sampled: in parts no larger than a training batch."""

    predict: Prediction
    solver: Solver
    latent_scale: float
    batch: int
    precision: Precision

    @classmethod
    def of(cls, config: TrainConfig) -> Sampler:
        """Return the sampler of a training."""
        predict, solver = config.objective.predict, config.solver
        return cls(predict, solver, config.latent_scale, config.batch, config.precision)

    @torch.no_grad()
    def draw(
        self, network: nn.Module, noise: Tensor, nfe: int, condition: Condition | None = None
    ) -> Tensor:
        """Return normalised latents (n, C, D, H, W), float32, for noise of that shape."""
        conditions = split_condition(condition, len(noise), self.batch)
        with autocast(noise.device, self.precision):
            parts = [
                sample(network, z, nfe, predict=self.predict, solver=self.solver, condition=own)
                for z, own in zip(noise.split(self.batch), conditions, strict=True)
            ]
        return torch.cat(parts).float() / self.latent_scale


def fixed_noise(shape: tuple[int, ...], n: int, seed: int) -> Tensor:
    """Return the noise (n, *shape) of samples 0 to n - 1, the same at every look."""
    return torch.cat([noise_of(shape, i, seed) for i in range(n)])


def earlier_look(folder: Path, update: int) -> dict[str, Tensor]:
    """Return the latents of the last look before an update, by number of calls; empty where there
    is none.
    """
    looks = sorted(p for p in folder.glob("update-*.safetensors") if _number(p) < update)
    return load_file(looks[-1]) if looks else {}


def _number(path: Path) -> int:
    found = path.stem.removeprefix("update-")
    return int(found) if found.isdigit() else sys.maxsize


def difference(a: Tensor, b: Tensor) -> float:
    """Return ‖a - b‖ / ‖b‖ of latents of one shape, NaN for others: of samples from the same noise,
    how far fewer calls, or an earlier look, are from b.
    """
    if a.shape != b.shape:
        return math.nan
    return float((a.cpu() - b.cpu()).norm() / b.cpu().norm())


def moments(z: Tensor) -> Row:
    """Return mean and standard deviation of each channel of normalised latents:
    0 and 1 in the training data.
    """
    means, deviations = z.mean((0, 2, 3, 4)).tolist(), z.std((0, 2, 3, 4)).tolist()
    return {f"mean_{c}": m for c, m in enumerate(means)} | {
        f"std_{c}": s for c, s in enumerate(deviations)
    }
