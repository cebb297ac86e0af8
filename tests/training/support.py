"""Latents whose mean and spread are known, and a training of seconds."""

import signal
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch

from neuromf.autoencoder.components import image_of
from neuromf.autoencoder.frozen import LatentSpace
from neuromf.flow import MeanFlow, TimeSampler
from neuromf.latents.statistics import latent_statistics
from neuromf.latents.store import LatentEntry, LatentStore, write_index, write_shard
from neuromf.runtime.run import Stopped
from neuromf.training.bar import Bar
from neuromf.training.config import (
    Checkpoints,
    Diagnostics,
    Evaluation,
    Guard,
    Optimiser,
    Samples,
    TrainConfig,
)
from neuromf.training.saver import Saver
from support import STORE_VAE, TINY

SIZE = (4, 8, 8, 8)
# A rectified flow, and a student that takes its teacher's velocity for the tangent.
FLOW = {"objective": MeanFlow(predict="u", jvp="none"), "times": TimeSampler(equal_fraction=1)}
STUDENT = MeanFlow(predict="u", jvp="two-stream", tangent="conditional")


class StopAfter(Saver):
    """Asks for a stop after an update, as a signal would."""

    update = 0

    def on_train_batch_end(self, trainer, loop, outputs, batches, number):
        self.asked = self.asked or loop.state.update >= StopAfter.update
        super().on_train_batch_end(trainer, loop, outputs, batches, number)


def latent_store(
    folder: Path,
    n: int = 24,
    size=SIZE,
    vae: LatentSpace = STORE_VAE,
    val: int = 6,
    broken: int = -1,
    names: str = "s",
) -> Path:
    """A store of smooth latents about a common mean, as brains are; number `broken` got a NaN after the statistics."""
    folder.mkdir(parents=True)
    chance = torch.Generator().manual_seed(0)
    coarse = torch.randn(1 + n, size[0], 2, 2, 2, generator=chance)
    smooth = torch.nn.functional.interpolate(
        coarse, size=size[1:], mode="trilinear", align_corners=True
    )
    latents = 3 * smooth[:1] + smooth[1:] + 5
    affine = ((2.0, 0, 0, 1), (0, 2.0, 0, 1), (0, 0, 2.0, 1), (0, 0, 0, 1.0))
    part = [
        (
            LatentEntry(
                f"{names}{i:02d}",
                f"{names}{i:02d}",
                "train" if i < n - val else "val",
                "shard-00000",
                affine=affine,
            ),
            z,
            None,
        )
        for i, z in enumerate(latents)
    ]
    write_index(
        folder,
        image_of(vae),
        size,
        write_shard(folder, "shard-00000", image_of(vae), part),
        sigma=False,
    )
    latent_statistics(LatentStore(folder)).save(folder)
    if broken >= 0:
        part[broken][1][0, 0, 0, 0] = torch.nan
        write_index(
            folder,
            image_of(vae),
            size,
            write_shard(folder, "shard-00000", image_of(vae), part),
            sigma=False,
        )
    return folder


def tiny_config(store: Path, **changes) -> TrainConfig:
    """A training on the CPU in float32 that looks at nothing."""
    config = TrainConfig(
        latents=str(store),
        network=TINY,
        objective=MeanFlow(jvp="two-stream", weight_power=0.5),
        times=TimeSampler(endpoint_fraction=0.2),
        optimiser=Optimiser(lr=1e-3),
        updates=6,
        batch=2,
        ema=(0.9,),
        precision="float32",
        device="cpu",
        checkpoints=Checkpoints(every=100),
        samples=Samples(every=0, n=2, nfe=(1, 2)),
        diagnostics=Diagnostics(every=0),
        evaluation=Evaluation(every=0, n=4, projections=16),
        guard=Guard(),
        log_every=1,
    )
    return replace(config, **changes)


def stopped_by_sigterm(monkeypatch, work) -> None:
    """Do `work`, a training with loader processes, and send SIGTERM to all of them and to this one
    after an update, as `scancel` does.
    """
    before = Bar.on_train_batch_end

    def asked(self, trainer, loop, outputs, batches, index):
        before(self, trainer, loop, outputs, batches, index)
        if loop.state.update == 2:
            loaders = [p for p in psutil.Process().children() if _loads(p)]
            assert loaders
            for process in (*loaders, psutil.Process()):
                process.send_signal(signal.SIGTERM)
            time.sleep(0.2)  # a loader that dies is noticed in the next update

    with monkeypatch.context() as patched, pytest.raises(Stopped):
        patched.setattr(Bar, "on_train_batch_end", asked)
        work()


def _loads(child: psutil.Process) -> bool:
    """Return True for a loader process: not the tracker of resources, nor one of an earlier test
    that has ended.
    """
    try:
        return "resource_tracker" not in " ".join(child.cmdline())
    except psutil.Error:
        return False
