"""`neuromf train-vae`: train the small VAE on patches of prepared volumes."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.autoencoder.small import (
    SmallVAE,
    SmallVAEConfig,
    channels_last,
    gradient_l1,
    kl_to_standard_normal,
    load_small,
    save_small,
)
from neuromf.data.cohort import Entry, read_cohorts
from neuromf.flow import Ramp
from neuromf.metrics.similarity import psnr, ssim
from neuromf.nets.ema import ema_model
from neuromf.pretrained.statedict import WeightsError, load_strict, read_pickle
from neuromf.runtime.device import Precision, autocast, explain_oom, pick_device
from neuromf.runtime.fields import key
from neuromf.runtime.files import atomic, write_json, write_text
from neuromf.runtime.folders import Output
from neuromf.runtime.progress import progress
from neuromf.runtime.run import open_run
from neuromf.runtime.tables import write_table

log = logging.getLogger("neuromf")
OUTPUT = Output(
    "train-vae",
    ("model.safetensors", "config.json", "README.md", "log.csv", "checkpoint.pt", "scores.json"),
)
CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class TrainVAEConfig:
    """What the small VAE is trained on, and how."""

    volumes: Any = ""  # folders that prepare or phantom wrote; each is drawn from equally often
    network: SmallVAEConfig = field(default_factory=SmallVAEConfig)
    name: str = ""  # the folder's, if empty
    updates: int = 4000
    batch: int = 4
    patch: int = 48  # voxels a side
    lr: float = 1e-3
    warmup: int = 100  # updates
    gradient: float = 0.5  # weight of the L1 distance of finite differences
    kl: float = 1e-4  # weight of the KL divergence, nats an element of the latent
    ema: float = 0.999
    clip: float = 1.0  # norm of the gradient
    precision: Precision = "float32"
    device: str = "auto"  # auto, cpu, cuda, cuda:1
    check_every: int = 250  # updates between checkpoints and looks at held-out volumes
    check_volumes: int = 8
    num_workers: int = key(0, formerly="loaders", free=True)  # processes that read
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("updates", "batch", "check_every", "check_volumes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: 1 or more")
        if self.patch % 4 or self.patch < 16:
            raise ValueError(f"patch is {self.patch}: a multiple of 4, 16 or more")
        if not (
            0 < self.lr < math.inf and 0 <= self.gradient < math.inf and 0 <= self.kl < math.inf
        ):
            raise ValueError(
                f"lr {self.lr}, gradient {self.gradient}, kl "
                f"{self.kl}: lr above 0, weights not negative"
            )
        if (
            not (0 <= self.ema < 1 and self.clip > 0)
            or min(self.warmup, self.num_workers, self.seed) < 0
        ):
            raise ValueError(
                f"ema {self.ema}, clip {self.clip}, warmup {self.warmup}, num_workers "
                f"{self.num_workers}, seed {self.seed}: ema in [0, "
                "1), clip above 0, the others not negative"
            )


class Patches(Dataset[Tensor]):
    """Batch number i of patches (batch, 1, P, P, P), the same for the same seed in
    whatever order they are asked for.
    """

    def __init__(self, cohorts: Sequence[Sequence[Entry]], config: TrainVAEConfig) -> None:
        self.cohorts, self.config = cohorts, config

    def __len__(self) -> int:
        return self.config.updates

    def __getitem__(self, update: int) -> Tensor:
        """Return the batch of an update."""
        rng = np.random.default_rng([self.config.seed, update])
        return torch.stack([self._patch(rng) for _ in range(self.config.batch)])

    def _patch(self, rng: np.random.Generator) -> Tensor:
        """Return a patch (1, P, P, P) around a voxel of the brain, flipped and brightened
        by chance.
        """
        cohort = self.cohorts[int(rng.integers(len(self.cohorts)))]
        voxels = cohort[int(rng.integers(len(cohort)))].read().voxels
        side = self.config.patch
        brain = np.flatnonzero(voxels)
        middle = np.unravel_index(rng.choice(brain) if len(brain) else 0, voxels.shape)
        starts = [
            int(np.clip(m - side // 2, 0, max(n - side, 0)))
            for m, n in zip(middle, voxels.shape, strict=True)
        ]
        patch = voxels[tuple(slice(s, s + side) for s in starts)]
        patch = np.pad(patch, [(0, side - n) for n in patch.shape])
        if rng.random() < 0.5:
            patch = patch[::-1]
        return torch.from_numpy(np.clip(patch * np.float32(rng.uniform(0.85, 1.1)), 0, 1).copy())[
            None
        ]


def run(
    config: TrainVAEConfig, out: Path, *, resume: bool = False, overwrite: bool = False
) -> dict[str, float]:
    """Train into `out` (model.safetensors, config.json, README.md, log.csv, checkpoint.pt);
    return held-out figures.
    """
    cohorts = read_cohorts(config.volumes)
    training = [[e for e in cohort if e.split == "train"] for cohort in cohorts]
    held_out = list({e.name: e for cohort in cohorts for e in cohort if e.split == "val"}.values())
    held_out = held_out[:: max(1, len(held_out) // config.check_volumes)][: config.check_volumes]
    if any(not cohort for cohort in training):
        raise ValueError("a folder of volumes= has no training subject: see its split.json")
    smallest = min(min(cohort[0].read().voxels.shape) for cohort in training)
    if config.patch > smallest:
        raise ValueError(
            f"patch is {config.patch}, the volumes measure {smallest} voxels along an axis: at "
            f"most patch={smallest // 4 * 4}"
        )
    config = replace(config, name=config.name or out.name)
    with open_run(out, config, OUTPUT, [config.volumes], resume=resume, overwrite=overwrite):
        device = pick_device(config.device)
        state = Training(config, device)
        start = state.load(out / CHECKPOINT) if resume and (out / CHECKPOINT).is_file() else 0
        with (
            progress("updates") as bar,
            explain_oom("training", "a smaller batch or patch, or precision=bfloat16"),
        ):
            task = bar.add_task("train-vae", total=config.updates, completed=start)
            for update, batch in enumerate(
                _batches(Patches(training, config), config, start), start
            ):
                state.step(batch.to(device), update)
                bar.advance(task)
                if (update + 1) % config.check_every == 0:
                    state.write_average(out)
                    state.log[-1].update(
                        held_out_figures(load_small(out, device, config.precision), held_out)
                    )
                    state.write(out, update + 1)
                    bar.console.print(f"{update + 1}: {_say(state.log[-1])}")
            state.write_average(out)
            figures = held_out_figures(load_small(out, device, config.precision), held_out)
            state.write(out, config.updates)
        write_json(out / "scores.json", figures)
        write_text(
            out / "README.md",
            card(config, cohorts, figures, sum(p.numel() for p in state.network.parameters())),
        )
    return figures


class Training:
    """The state of a training: network, average, optimiser, log."""

    def __init__(self, config: TrainVAEConfig, device: torch.device) -> None:
        self.config, self.device = config, device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            network = SmallVAE(config.network)
        self.network = network.to(device)
        channels_last(self.network)
        self.ema = ema_model(self.network, config.ema)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=config.lr, betas=(0.9, 0.95), weight_decay=0.0
        )
        self.log: list[dict[str, float]] = []

    def step(self, x: Tensor, update: int) -> None:
        """Update on a batch; one whose gradient is not finite changes nothing and is counted."""
        config = self.config
        for group in self.optimiser.param_groups:
            group["lr"] = config.lr * rate_factor(update, config)
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + update)
        with autocast(self.device, config.precision):
            mean, sigma = self.network.encode(x.contiguous(memory_format=torch.channels_last_3d))
            noise = torch.randn(mean.shape, generator=generator).to(mean)
            y = self.network.decode(mean + sigma * noise)
        l1 = F.l1_loss(y.float(), x)
        gradient = gradient_l1(y.float(), x)
        kl = kl_to_standard_normal(mean.float(), sigma.float())
        loss = l1 + config.gradient * gradient + config.kl * kl
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.clip)
        skipped = not bool(torch.isfinite(norm))
        if not skipped:
            self.optimiser.step()
            self.ema.update_parameters(self.network)
        row = {"l1": l1, "gradient": gradient, "kl": kl, "sigma": sigma.mean(), "norm": norm}
        self.log.append(
            {"update": update}
            | {k: round(v.item(), 6) for k, v in row.items()}
            | {"skipped": skipped}
        )

    def write_average(self, out: Path) -> None:
        """Write the average as a small VAE."""
        average: SmallVAE = self.ema.module  # type: ignore[assignment]
        save_small(out, average, self.config.network, self.config.name)

    def write(self, out: Path, update: int) -> None:
        """Write the log, and then the checkpoint to go on from."""
        write_table(out / "log.csv", self.log)
        self.save(out / CHECKPOINT, update)

    def save(self, path: Path, update: int) -> None:
        """Write all of it, whole or not at all."""
        state = {
            "update": update,
            "network": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "log": self.log,
        }
        with atomic(path) as temporary:
            torch.save(state, temporary)

    def load(self, path: Path) -> int:
        """Take up what `save` wrote and return the update to go on with. Raises
        WeightsError where it does not fit.
        """
        state = read_pickle(path)
        if (
            not isinstance(state, dict)
            or not {"update", "network", "ema", "optimiser", "log"} <= state.keys()
        ):
            raise WeightsError(
                f"{path}: no checkpoint of `neuromf train-vae`: start again with --overwrite"
            )
        load_strict(self.network, state["network"], str(path))
        load_strict(self.ema, state["ema"], str(path))
        self.optimiser.load_state_dict(state["optimiser"])
        self.log = state["log"]
        return int(state["update"])


def held_out_figures(vae: FrozenVAE, entries: Sequence[Entry]) -> dict[str, float]:
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


def card(
    config: TrainVAEConfig,
    cohorts: Sequence[Sequence[Entry]],
    figures: dict[str, float],
    parameters: int,
) -> str:
    """Return the model card."""
    counts: dict[str, int] = {}
    training = {e.path: e for cohort in cohorts for e in cohort if e.split == "train"}
    for entry in training.values():
        key = (entry.record["dataset"] or "unnamed") + (
            " (deformed copies)" if entry.record.get("parent") else ""
        )
        counts[key] = counts.get(key, 0) + 1
    lines = [
        f"# {config.name}",
        "",
        f"A VAE for volumes in [0, 1] as `neuromf prepare` writes them: {parameters:,} "
        f"parameters, {config.network.channels} latent channels, factor 4 an axis.",
        "",
        f"Trained for {config.updates} updates of {config.batch} patches of {config.patch}³ "
        f"voxels, seed {config.seed}, on:",
        "",
        *(f"- {name}: {count} volumes" for name, count in sorted(counts.items())),
        "",
        "Held-out subjects, whole volumes: "
        + (", ".join(f"{k} {v:g}" for k, v in figures.items()) or "none"),
        "",
        "For research; not for clinical use.",
        "",
    ]
    return "\n".join(lines)


def _batches(patches: Patches, config: TrainVAEConfig, start: int) -> Iterator[Tensor]:
    order = list(range(start, len(patches)))
    return iter(DataLoader(patches, batch_size=None, sampler=order, num_workers=config.num_workers))


def rate_factor(update: int, config: TrainVAEConfig) -> float:
    """Return the factor on the learning rate at an update: a linear warm-up, then
    a cosine down to a hundredth.
    """
    decay = Ramp(1.0, 0.01, min(config.warmup / config.updates, 1.0), 1.0, "cosine")
    return min((update + 1) / max(config.warmup, 1), 1.0) * decay.at(update / config.updates)


def _say(row: dict[str, Any]) -> str:
    return ", ".join(f"{k} {v:.4g}" for k, v in row.items() if k not in {"update", "skipped"})
