"""Held-out latents against the run: losses of the averaged weights, distance and power of
one-call samples, early stopping.
"""

from __future__ import annotations

import math
from functools import cached_property

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from neuromf.flow.gaussian import GaussianFlow
from neuromf.flow.network import Network, split_condition
from neuromf.latents.dataset import LatentDataset
from neuromf.latents.gaussian import latent_gaussian
from neuromf.latents.velocity import HeldOutVelocity
from neuromf.metrics.bands import band_power, by_band
from neuromf.metrics.velocity import mean_ratio
from neuromf.metrics.wasserstein import sliced_wasserstein
from neuromf.runtime.device import autocast
from neuromf.runtime.files import write_json
from neuromf.runtime.randomness import Purpose, generator
from neuromf.runtime.tables import write_table
from neuromf.training.batches import Batch
from neuromf.training.callback import PeriodicCallback
from neuromf.training.checkpoint import BEST
from neuromf.training.config import Evaluation
from neuromf.training.decoded_fid import FOLDER, DecodedFid
from neuromf.training.loop import Loop
from neuromf.training.meanflow import means, sums_of
from neuromf.training.monitor import average_column, is_best, out_of_patience, summary
from neuromf.training.previews import Sampler, fixed_noise
from neuromf.training.ranks import note, rank
from neuromf.training.state import Row
from neuromf.training.teacher import Teacher
from neuromf.training.teacher_error import TeacherError, teacher_samples
from neuromf.training.watched import Watched

MOST = 256  # held-out latents looked at


class Validation(PeriodicCallback):
    """Writes one row of evaluation.csv a time, and what the rows came to into evaluation.json. The
    weights with the smallest monitored value are kept in best.ckpt; where it has not fallen for
    `patience` rows, the run ends.
    """

    what = "losses on held-out latents and one-call samples, into evaluation.csv"

    def __init__(self, run: Watched, held_out: LatentDataset) -> None:
        config = run.config
        super().__init__(run.log, run.bar, config.evaluation.every, config.updates)
        self.out, self.config, self.saver, self.epoch = run.out, config, run.saver, run.epoch
        self.training, self.teacher = run.data.train, run.teacher
        self._error: TeacherError | None = None
        self.condition = run.data.condition(config.evaluation.n)

        items = [held_out[i] for i in range(min(len(held_out), MOST))]
        self.real = torch.stack([item.latent for item in items])
        self.known = run.data.known.of([item.place for item in items])
        self.noise = fixed_noise(self.real.shape[1:], config.evaluation.n, config.seed)
        vae = run.vae if config.evaluation.fid_every else None
        self.fid = (
            DecodedFid(run.out, config, held_out.stats, vae, self.real, run.device) if vae else None
        )

    @classmethod
    def of(cls, run: Watched) -> list[Validation]:
        """Return the validation of a run; none if never asked for, or without held-out latents.
        Raises ValueError where the VAE, the teacher or the training latents that it needs are not
        at hand.
        """
        settings, held_out, where = run.config.evaluation, run.data.held_out, run.config.latents
        if not settings.every:
            return []
        if held_out is None:
            note(f"{where} holds no latent in the split 'val': nothing is evaluated in training")
            return []

        if len(run.data.train) < 2:
            raise ValueError(
                f"{where} holds one training latent, a linear filter to compare with needs two or "
                "more: set evaluation.every=0"
            )
        if settings.fid_every and run.vae is None and rank() == 0:
            raise ValueError(
                "evaluation.fid_every needs the VAE of the latents, to decode them: set vae="
            )
        if settings.monitor == "teacher" and run.teacher is None and rank() == 0:
            raise ValueError(
                "evaluation.monitor=teacher needs a training with a teacher: "
                "evaluation.monitor=v_linear goes with every training"
            )
        return [cls(run, held_out)]

    def due(self, update: int) -> bool:
        """Return True at every period, at the end, and after the first epoch, for a baseline."""
        return super().due(update) or (self.every > 0 and update == self.epoch)

    @cached_property
    def gaussian(self) -> GaussianFlow:
        """The Gaussian of the training latents, fitted when it is needed first."""
        return latent_gaussian(self.training)

    @cached_property
    def velocity(self) -> HeldOutVelocity:
        """The velocity on held-out latents; that of the linear filter is shown."""
        config = self.config
        found = HeldOutVelocity(self.real, self.gaussian, config.latent_scale, config.seed)
        losses = ", ".join(f"{loss:.4g} at t = {t:g}" for t, loss in found.linear.items())
        self.bar.say(f"v-loss of a linear filter on {len(found.x)} held-out latents: {losses}")
        return found

    def observe(self, loop: Loop) -> None:
        """Measure, write, and keep the weights if they are the best so far."""
        state, settings = loop.state, self.config.evaluation
        row = self._row(loop)
        best = is_best(row, state.evaluations, settings)
        state.evaluations.append(row)

        write_table(self.out / "evaluation.csv", state.evaluations)
        linear = {f"{t:g}": loss for t, loss in self.velocity.linear.items()}
        found = summary(state.evaluations, settings) | {"v_loss_linear": linear}
        write_json(self.out / "evaluation.json", found)
        values = {f"evaluation/{k}": v for k, v in row.items() if k != "update"}
        self.run_log.scalars(values, state.update)
        if best:
            self.saver.save(loop, BEST)

    def _row(self, loop: Loop) -> Row:
        settings, update = self.config.evaluation, loop.state.update
        sampler, noise = Sampler.of(self.config), self.noise.to(loop.device)
        samples = sampler.draw(loop.average, noise, 1, self.condition).cpu()

        row: Row = {
            "update": update,
            "swd": distance(samples, self.real, settings, self.config.seed),
        }
        row |= self._losses(loop, loop.average)
        row |= {f"{name}_online": value for name, value in self._losses(loop, loop.network).items()}
        row |= self._velocity_row(loop)
        row |= by_band("power", relative_power(samples, self.real, self.gaussian.mean))
        if self.teacher is not None:
            row |= self._teacher_error(self.teacher, loop.device).row(samples)
        if self.fid is not None and self._decodes(update):
            row["fid"] = self.fid.fid(samples)
        return row

    def _teacher_error(self, teacher: Teacher, device: torch.device) -> TeacherError:
        """Return the error to a teacher, whose samples are drawn when they are needed first."""
        if self._error is None:
            self.bar.say("the teacher's samples from the same noise")
            noise, folder = self.noise.to(device), self.out / FOLDER
            reference = teacher_samples(teacher, noise, self.config, folder, self.condition)
            self._error = TeacherError(reference, self.gaussian.mean)
        return self._error

    def _velocity_row(self, loop: Loop) -> Row:
        """Return the v-loss of the averaged weights by t, and its ratio to the linear filter's; of
        further averages the ratio.
        """
        losses = self._v_losses(loop, loop.average)
        row: Row = {f"v_{t:g}": loss for t, loss in losses.items()}
        row |= {"v_linear": mean_ratio(losses, self.velocity.linear)}
        for decay, average in list(loop.averages.items())[1:]:
            losses = self._v_losses(loop, average.module)
            row[average_column(decay)] = mean_ratio(losses, self.velocity.linear)
        return row

    def _v_losses(self, loop: Loop, network: Network) -> dict[float, float]:
        config = self.config
        with autocast(loop.device, config.precision):
            return self.velocity.losses(
                lambda z, t: config.objective.velocity(network, z, t, t), config.batch, loop.device
            )

    def after(self, trainer: pl.Trainer, loop: Loop) -> None:
        """Stop every process where the monitored value has not fallen for `patience` rows."""
        settings = self.config.evaluation
        over = trainer.is_global_zero and out_of_patience(loop.state.evaluations, settings)
        if trainer.strategy.broadcast(over):
            trainer.should_stop = True

    def _decodes(self, update: int) -> bool:
        every = self.config.evaluation.fid_every
        return every > 0 and (update % every == 0 or update in {self.epoch, self.updates})

    @torch.no_grad()
    def _losses(self, loop: Loop, network: nn.Module) -> Row:
        """Return the raw loss of a network on held-out latents, with noise and times that never
        change: of all samples, of those with r = t and of those with r < t.
        """
        config, sums = self.config, torch.zeros(())
        conditions = split_condition(self.known, len(self.real), config.batch)
        for number, x in enumerate(self.real.split(config.batch)):
            drawn = generator(Purpose.HELD_OUT, config.seed, number)
            t, r = config.times.draw(len(x), drawn)
            noise = torch.randn(x.shape, generator=drawn)
            data = config.latent_scale * x
            batch = Batch(data, noise, t, r, conditions[number]).to(loop.device)

            with autocast(loop.device, config.precision):
                loss = config.objective.loss(batch.terms(config.objective, network))
            sums = sums + sums_of(loss, batch.t == batch.r).cpu()
        found = means(sums.tolist())
        parts = {name: found[name] for name in ("raw_equal", "raw_interval")}
        return {"raw": found["raw"]} | {k: v for k, v in parts.items() if not math.isnan(v)}


def distance(samples: Tensor, real: Tensor, settings: Evaluation, seed: int) -> float:
    """Return the sliced Wasserstein distance of two sets of normalised latents, along directions
    that never change.
    """
    directions = generator(Purpose.DIRECTIONS, seed)
    return sliced_wasserstein(samples, real, settings.projections, directions)


def relative_power(samples: Tensor, real: Tensor, mean: Tensor) -> Tensor:
    """Return (bands,): the power of samples (N, C, D, H, W) over that of real latents by frequency
    band, of deviations from the mean latent (C, D, H, W), which would hide them in low bands.
    """
    return band_power(samples - mean) / band_power(real - mean)
