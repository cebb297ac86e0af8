"""What `neuromf train-vae` trains: L1, L1 of finite differences and KL of reconstructed patches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.autoencoder.small import (
    SmallVAE,
    gradient_l1,
    kl_to_standard_normal,
    load_small,
    save_small,
)
from neuromf.data.cohort import Entry
from neuromf.metrics.similarity import psnr, ssim
from neuromf.runtime.tables import write_table
from neuromf.training.bar import Bar
from neuromf.training.callback import PeriodicCallback
from neuromf.training.log import Log
from neuromf.training.loop import Loop
from neuromf.training.patches import PatchBatch
from neuromf.training.vae_config import TrainVAEConfig


class VAETask:
    """Reconstruction of patches through a draw of the posterior."""

    advice = "a smaller batch or patch, or precision=bfloat16"

    def __init__(self, network: SmallVAE, config: TrainVAEConfig) -> None:
        self.network, self.config = network, config

    def loss(self, batch: PatchBatch) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch, and its parts with the number of batches, 1."""
        x = batch.x
        mean, sigma = self.network.encode(x.contiguous(memory_format=torch.channels_last_3d))
        y = self.network.decode(mean + sigma * batch.noise.to(mean))

        l1 = F.l1_loss(y.float(), x)
        gradient = gradient_l1(y.float(), x)
        kl = kl_to_standard_normal(mean.float(), sigma.float())
        parts = [l1, gradient, kl, sigma.mean(), torch.ones_like(l1)]
        loss = l1 + self.config.gradient * gradient + self.config.kl * kl
        return loss, torch.stack([p.detach().double() for p in parts])

    def means(self, sums: Sequence[float]) -> dict[str, float]:
        """Return the means over batches."""
        *parts, count = sums
        names = ("l1", "gradient", "kl", "sigma")
        return {name: value / count for name, value in zip(names, parts, strict=True)}


class HeldOut(PeriodicCallback):
    """Writes the averaged weights as a small VAE, and one row of evaluation.csv: how well it
    reconstructs held-out volumes.
    """

    what = "held-out volumes, into evaluation.csv"

    def __init__(
        self, log: Log, bar: Bar, out: Path, config: TrainVAEConfig, entries: Sequence[Entry]
    ) -> None:
        super().__init__(log, bar, config.check_every, config.updates)
        self.out, self.config, self.entries = out, config, entries

    def observe(self, loop: Loop) -> None:
        """Write, measure, and say."""
        average: Any = loop.average
        save_small(self.out, average, self.config.network, self.config.name)
        written = load_small(self.out, loop.device, self.config.precision)
        found = held_out_scores(written, self.entries)
        loop.state.evaluations.append({"update": loop.state.update, **found})
        write_table(self.out / "evaluation.csv", loop.state.evaluations)
        if found:
            self.bar.say(", ".join(f"{k} {v:.4g}" for k, v in found.items()))


def held_out_scores(vae: FrozenVAE, entries: Sequence[Entry]) -> dict[str, float]:
    """Return mean SSIM and PSNR of reconstructions of whole volumes;
    nothing where there are none.
    """
    if not entries:
        return {}
    scores = []
    for entry in entries:
        x = torch.from_numpy(entry.read().voxels)
        y = vae.decode(vae.encode(x[None, None]))[0, 0].clamp(0, 1).cpu()
        scores.append((ssim(x, y), psnr(x, y), ssim(x, y, x > 0), psnr(x, y, x > 0)))
    names = ("ssim", "psnr", "ssim_brain", "psnr_brain")
    return {name: round(sum(s[i] for s in scores) / len(scores), 4) for i, name in enumerate(names)}
