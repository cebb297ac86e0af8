"""Latents of real volumes: statistics by split, what augmentation does to them, and the network on
a few of them.
"""

from __future__ import annotations

from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from neuromf.autoencoder.frozen import Autoencoder
from neuromf.autoencoder.load import load_vae
from neuromf.flow.objective import MeanFlow
from neuromf.generation.model import load_model
from neuromf.latents.dataset import Item, LatentAugmentation, LatentDataset
from neuromf.latents.store import LatentStore
from neuromf.metrics.similarity import ssim
from neuromf.reporting import plots
from neuromf.verification.section import Section

NOISE, SCALE = 0.05, 0.05  # of the specification's augmentation
MASKED = 0.25  # of the voxels
LOADED = 5  # stored latents that go through the network
FLIPPED = 2  # latents that are decoded both ways


def real_latents(folder: Path, model: str, vae: str = "small") -> Section:
    """Measure a store of real latents of a VAE, and the network of a model on a few of them.

    Raises StoreError for another folder, ValueError where model and store do not fit.
    """
    store = LatentStore(folder)
    training, held = _normalised(store, ("train",)), _normalised(store, ("val", "test"))
    mean, std = _moments(training)
    values = {
        "latents": float(len(training) + len(held)),
        "latents_not_finite": float(_not_finite(training) + _not_finite(held)),
        "training_mean": float(mean.abs().max()),
        "training_std_low": float(std.min()),
        "training_std_high": float(std.max()),
    }
    rows = [["training", *_cells(mean, std)]]
    if len(held):
        mean, std = _moments(held)
        values |= {"held_out_mean": float(mean.abs().max())}
        values |= {"held_out_std_low": float(std.min()), "held_out_std_high": float(std.max())}
        rows.append(["held out", *_cells(mean, std)])

    values |= _augmented(store, training) | _outputs(training[:LOADED], model)
    values["flip_ssim"] = _flipped(store, load_vae(vae))
    channels = range(store.shape[0])
    return Section(
        "latents",
        "Real latents",
        f"{len(training)} latents of the training split and {len(held)} held out, of "
        f"{' × '.join(map(str, store.shape))}, normalised by channel.",
        values,
        _histogram(training),
        ("split", *(f"mean {c}" for c in channels), *(f"std {c}" for c in channels)),
        rows,
    )


def _augmented(store: LatentStore, plain: Tensor) -> dict[str, float]:
    """Return what noise and scale do to latents, beside what was asked."""
    noisy, scaled = (
        torch.stack([item.latent for item in _items(LatentDataset(store, augmentation=a))])
        for a in (LatentAugmentation(noise=NOISE), LatentAugmentation(scale=SCALE))
    )
    added = (noisy - plain).std(dim=(0, 2, 3, 4)) / NOISE
    factors = (scaled * plain).sum(dim=(1, 2, 3, 4)) / plain.square().sum(dim=(1, 2, 3, 4))
    before, after = _moments(plain)[1], _moments(noisy)[1]
    return {
        "noise_low": float(added.min()),
        "noise_high": float(added.max()),
        "scale_low": float(factors.min()),
        "scale_high": float(factors.max()),
        "augmented_std": float((after / before - 1).abs().max()),
    }


def _outputs(latents: Tensor, model: str) -> dict[str, float]:
    """Return how many numbers the network gives for latents at t = 0.5 that are not finite."""
    loaded = load_model(model)
    if tuple(loaded.config.shape) != tuple(latents.shape[1:]):
        raise ValueError(
            f"model={model} draws latents of {tuple(loaded.config.shape)}, the volumes give "
            f"{tuple(latents.shape[1:])}: take volumes of the model's preset"
        )
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0))
    t = torch.full((len(latents),), 0.5)
    z = 0.5 * loaded.config.latent_scale * latents + 0.5 * noise
    objective = MeanFlow(predict=loaded.config.predict, jvp="none")
    with torch.no_grad():
        output = objective.velocity(loaded.network, z, t, t)
    error = (output - (noise - loaded.config.latent_scale * latents)).square()
    left = torch.rand(error[:, :1].shape, generator=torch.Generator().manual_seed(1)) >= MASKED
    return {
        "masked_loss": float(error[left.expand_as(error)].mean() / error.mean()),
        "outputs_not_finite": float(_not_finite(output)),
        "outputs_of_another_shape": float(output.shape != latents.shape),
    }


def _flipped(store: LatentStore, vae: Autoencoder) -> float:
    """Return the mean SSIM of decoded mirrored latents to mirrored decoded latents."""
    found = []
    for index in store.split("train")[:FLIPPED]:
        latent = store[index][None]
        there, back = vae.decode(latent.flip(2)), vae.decode(latent).flip(2)
        found.append(ssim(there[0, 0], back[0, 0]))
    return sum(found) / len(found)


def _items(dataset: LatentDataset) -> list[Item]:
    return [dataset[i] for i in range(len(dataset))]


def _normalised(store: LatentStore, splits: tuple[str, ...]) -> Tensor:
    found = [
        item.latent
        for split in splits
        if store.split(split)
        for item in _items(LatentDataset(store, split))
    ]
    return torch.stack(found) if found else torch.empty(0, *store.shape)


def _moments(latents: Tensor) -> tuple[Tensor, Tensor]:
    return latents.mean(dim=(0, 2, 3, 4)), latents.std(dim=(0, 2, 3, 4))


def _not_finite(x: Tensor) -> int:
    return int((~torch.isfinite(x)).sum())


def _cells(mean: Tensor, std: Tensor) -> list[str]:
    return [*(f"{m:.4f}" for m in mean.tolist()), *(f"{s:.4f}" for s in std.tolist())]


def _histogram(latents: Tensor) -> Figure:
    with plots.subplots(size=(5, 2.6)) as (figure, axes):
        for channel, colour in enumerate(plots.colours(latents.shape[1])):
            axes.hist(latents[:, channel].flatten().numpy(), 81, range=(-5, 5), density=True,
                      histtype="step", color=colour, label=f"channel {channel}")  # fmt: skip
        axes.set_xlabel("normalised latent")
        axes.set_ylabel("density")
        axes.legend()
    return figure
