"""Volumes with their latents, for the training of a decoder: encoded here, or read from a store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from neuromf.autoencoder.frozen import FrozenVAE, check_space
from neuromf.data.cohort import Entry
from neuromf.latents import LatentStore
from neuromf.latents.posterior import encode_volume
from neuromf.runtime.progress import progress
from neuromf.training.latent_patches import LatentVolume

Cohorts = Sequence[Sequence[Entry]]
LatentOf = Callable[[Entry], Tensor]


def latent_source(vae: FrozenVAE, location: str = "") -> LatentOf:
    """Return a function from a volume to its latent (C, D/4, H/4, W/4), float32 on the CPU: that of
    the latent store at `location`, or what the VAE's encoder gives, if that is empty.

    Raises ValueError for a store of another latent space, and for a VAE without an encoder. The
    function raises it for a volume that the store does not hold.
    """
    if not location:
        side = 4 * vae.factor
        vae.encode(torch.zeros(1, 1, side, side, side))  # a decoder alone refuses
        return lambda entry: encode_volume(vae, entry)[0]

    store = LatentStore(location)
    made = f"latents={location} were made by"
    check_space(vae, store.vae, made, "give that VAE with vae=, or leave latents= out")
    place = {(e.name, e.volume_sha256): i for i, e in enumerate(store.entries)}

    def read(entry: Entry) -> Tensor:
        index = place.get((entry.name, str(entry.record["sha256"])))
        if index is None:
            raise ValueError(
                f"latents={location} holds no latent of {entry.path}, or of an earlier version of "
                "it: encode the volumes again, or leave latents= out"
            )
        return store[index].float()

    return read


def with_latents(cohorts: Cohorts, latent_of: LatentOf) -> list[list[LatentVolume]]:
    """Return each volume of each cohort with its latent."""
    with progress("volumes") as bar:
        task = bar.add_task("latents", total=sum(len(cohort) for cohort in cohorts))
        found: list[list[LatentVolume]] = []
        for cohort in cohorts:
            found.append([])
            for entry in cohort:
                found[-1].append(LatentVolume(entry, latent_of(entry)))
                bar.advance(task)
    return found


def channel_std(cohorts: Sequence[Sequence[LatentVolume]]) -> Tensor:
    """Return the standard deviations (C,) of the latents' channels, over all training volumes."""
    latents = [v.latent.double().flatten(1) for cohort in cohorts for v in cohort]
    count = sum(latent.shape[1] for latent in latents)
    mean = torch.stack([latent.sum(1) for latent in latents]).sum(0) / count
    squares = torch.stack([(latent - mean[:, None]).square().sum(1) for latent in latents])
    return (squares.sum(0) / count).sqrt().float()


def content(cohorts: Cohorts) -> str:
    """Return the fingerprint of the volumes that a decoder is trained on, in their order."""
    rows = [[(e.name, str(e.record["sha256"])) for e in cohort] for cohort in cohorts]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
