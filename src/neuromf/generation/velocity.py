"""`neuromf velocity`: the velocity of a model on held-out latents, beside that of a linear filter,
in a table and a plot.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from neuromf.autoencoder.components import same_components
from neuromf.autoencoder.frozen import check_space
from neuromf.data.splits import SPLITS
from neuromf.flow import MeanFlow
from neuromf.generation.model import Model, load_model
from neuromf.latents.dataset import LatentDataset
from neuromf.latents.gaussian import latent_gaussian
from neuromf.latents.shard import StoreError
from neuromf.latents.store import LatentStore
from neuromf.latents.velocity import MOST, HeldOutVelocity
from neuromf.metrics.velocity import mean_ratio
from neuromf.reporting import plots
from neuromf.runtime.device import Precision, autocast, pick_device
from neuromf.runtime.folders import Output
from neuromf.runtime.run import open_run
from neuromf.runtime.tables import write_table

OUTPUT = Output("velocity", ("v_loss.csv", "v_loss.png"))
BATCH = 4


@dataclass(frozen=True)
class VelocityConfig:
    """Which model, on which latents."""

    # a folder that train or export wrote, embedded, or owner/name on the Hugging Face hub
    model: str = ""
    latents: str = ""  # a folder or URL that encode wrote; the linear filter is of its split train
    splits: tuple[str, ...] = ("val", "test")  # the latents that are looked at, 64 at most
    seed: int = 0  # of the noise
    precision: Precision = "float32"
    device: str = "auto"  # auto, cpu, mps, cuda, cuda:1

    def __post_init__(self) -> None:
        strange = [s for s in self.splits if s not in SPLITS]
        if strange or not self.splits:
            raise ValueError(f"splits is {list(self.splits)}: some of {', '.join(SPLITS)}")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}: 0 or more")


def run(
    config: VelocityConfig, out: Path, *, resume: bool = False, overwrite: bool = False
) -> float:
    """Write v_loss.csv (t, model, linear, ratio) and v_loss.png into `out`; return the geometric
    mean of the ratios, below 1 where the model is better than the linear filter.

    Raises FileNotFoundError, ValueError or StoreError where the model or the latents are missing,
    or are of different latent spaces.
    """
    if not config.model or not config.latents:
        raise ValueError(
            "model= and latents= are needed: a folder that `neuromf train` wrote, and one that "
            "`neuromf encode` wrote"
        )
    device, model, store = (
        pick_device(config.device), load_model(config.model), LatentStore(config.latents)
    )  # fmt: skip
    check_latents(model, store)
    real = held_out(model, store, config.splits)

    inputs = [config.model, config.latents]
    with open_run(out, config, OUTPUT, inputs, resume=resume, overwrite=overwrite):
        training = LatentDataset(store, "train", model.config.stats)
        scale = model.config.latent_scale
        velocity = HeldOutVelocity(real, latent_gaussian(training), scale, config.seed)
        found = losses(model, velocity, device, config.precision)
        ratio = mean_ratio(found, velocity.linear)

        rows = [
            {"t": t, "model": found[t], "linear": loss, "ratio": found[t] / loss}
            for t, loss in velocity.linear.items()
        ]
        write_table(out / "v_loss.csv", rows)
        plots.save(out / "v_loss.png", draw(found, velocity.linear, model.config.name))
        print(report(rows, len(velocity.x), ratio))

    return ratio


def losses(
    model: Model, velocity: HeldOutVelocity, device: torch.device, precision: Precision
) -> dict[float, float]:
    """Return the v-loss of a model by t."""
    network, objective = model.network.to(device), MeanFlow(predict=model.config.predict)
    with autocast(device, precision):
        return velocity.losses(lambda z, t: objective.velocity(network, z, t, t), BATCH, device)


def held_out(model: Model, store: LatentStore, splits: tuple[str, ...]) -> Tensor:
    """Return latents (N, C, D, H, W) of some splits of a store, 64 at most, as the model takes
    them. Raises StoreError where there are none.
    """
    indices = [i for split in splits for i in store.split(split)][:MOST]
    if not indices:
        raise StoreError(
            f"{store.location} holds no latent in the splits {', '.join(splits)}: name others "
            "with splits="
        )
    return torch.stack([model.config.stats.normalise(store[i]) for i in indices])


def check_latents(model: Model, store: LatentStore) -> None:
    """Raise ValueError unless the latents of a store are of the model's shape and latent space."""
    if tuple(store.shape) != tuple(model.config.shape):
        raise ValueError(
            f"{store.location} holds latents {tuple(store.shape)}, {model.config.name} takes "
            f"{tuple(model.config.shape)}: give those that it was trained on, or others like them"
        )
    if not same_components(store.components, model.config.components):
        # Fingerprints up to version 0.1 are of another kind: the VAE itself tells.
        advice = "encode with the VAE of the model"
        check_space(model.load_vae("cpu"), store.vae, f"{store.location} was made with", advice)


def report(rows: list[dict[str, float]], n: int, ratio: float) -> str:
    """Return the table as lines of text."""
    lines = [f"v-loss on {n} held-out latents", f"{'t':>6} {'model':>9} {'linear':>9} {'ratio':>7}"]
    lines += [f"{r['t']:>6g} {r['model']:9.4f} {r['linear']:9.4f} {r['ratio']:7.3f}" for r in rows]
    better = "better than the linear filter" if ratio < 1 else "no better than the linear filter"
    return "\n".join([*lines, f"v_linear {ratio:.3f}, the geometric mean of the ratios: {better}"])


def draw(model: dict[float, float], linear: dict[float, float], name: str) -> Figure:
    """Return the v-loss of a model and of the linear filter over t."""
    with plots.subplots(size=(5, 3.2)) as (figure, axes):
        axes.plot(list(model), list(model.values()), ".-", label=name)
        axes.plot(
            list(linear), list(linear.values()), ".--", color=plots.REFERENCE, label="linear filter"
        )
        axes.set(yscale="log", xlabel="t (0 is data, 1 is noise)", ylabel="v-loss at r = t")
        axes.legend()
    return figure
