"""Noise to brains: one sample at a time, in few network calls, decoded and placed in space."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neuromf.autoencoder.components import LESION, split
from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.autoencoder.load import decodes
from neuromf.autoencoder.mask_codes import MaskCode, load_mask_code
from neuromf.data.volume import Volume
from neuromf.flow import sample
from neuromf.flow.guidance import OFF, led
from neuromf.flow.network import Condition, Network
from neuromf.flow.sampler import exponential
from neuromf.generation.adapter import load_adapter
from neuromf.generation.asked import NOTHING, Asked, asked
from neuromf.generation.decoding import decoded_volume
from neuromf.generation.lesion import LesionMask, decoded_lesion
from neuromf.generation.model import Model, ModelConfig, load_model
from neuromf.generation.population import read_population
from neuromf.runtime.device import (
    Precision,
    autocast,
    check_precision,
    explain_oom,
    pick_device,
    wait_for_gpu,
)
from neuromf.runtime.randomness import Purpose, generator

SMALLEST_ML = 0.02  # of a lesion: below three voxels of 2 mm
log = logging.getLogger("neuromf")


class Drawn(NamedTuple):
    """One sample, and the seconds it took."""

    number: int
    latent: Tensor  # (C, D, H, W), as the VAE takes it
    volume: Volume
    network_seconds: float
    decode_seconds: float
    lesion: LesionMask | None = None  # of a model that draws pairs


class Generator:
    """Draws brains from a model. Sample number i of a seed is the same, bit for bit, whatever else
    is drawn with it.

    That holds on one device: each sample passes the network by itself, because libraries choose
    their order of summation by the size of a batch.
    """

    def __init__(
        self,
        model: Model,
        device: str = "auto",
        precision: Precision = "float32",
        decode_memory_gb: float | None = None,
        decoder: str = "",
        smallest_lesion_ml: float = SMALLEST_ML,
    ) -> None:
        self.smallest_lesion_ml = smallest_lesion_ml
        self.device = pick_device(device)
        self.model, self.precision, self.decode_memory_gb = (
            model,
            check_precision(precision),
            decode_memory_gb,
        )
        model.network.to(self.device)
        self._decoder = decoder

    @property
    def config(self) -> ModelConfig:
        """What the model is."""
        return self.model.config

    @cached_property
    def vae(self) -> FrozenVAE:
        """The VAE that decodes."""
        return self.model.load_vae(self.device, self.precision, self._decoder)

    @cached_property
    def mask_code(self) -> MaskCode | None:
        """What decodes the lesion mask, where the model draws one. Raises ValueError for a code
        that the model was not trained with.
        """
        wanted = next((c.vae for c in self.config.components if c.name == LESION), None)
        if wanted is None:
            return None
        # by the VAE itself: a decoder that is made for images knows no other fields
        own = self.vae
        if (self._decoder or decodes(self.model.own_vae)) != self.model.own_vae:
            own = self.model.load_vae(self.device, self.precision, self.model.own_vae)
        code = load_mask_code(wanted.name, own, self.device, self.precision)
        code.check(wanted, self.config.name)
        return code

    def noise(self, index: int, seed: int = 0) -> Tensor:
        """Return the noise (1, C, D, H, W) that sample `index` of a seed starts from,
        drawn on the CPU.
        """
        return noise_of(self.config.shape, index, seed)

    def asked(
        self,
        condition: Mapping[str, Any] | None = None,
        table: str = "",
        guidance: float = 1.0,
        interval: Sequence[float] = (0.0, 1.0),
        population: bool = True,
        seed: int = 0,
    ) -> Asked:
        """Return what samples are asked to be, with a warning for numbers outside the training
        data: where nothing is asked, what people of the training were, if the model knows
        (`population`), drawn by the seed. Raises ValueError for what the model does not know.
        """
        conditions, flow = self.config.conditions, self.config.solver != "average"
        people = read_population(self.model.folder, conditions) if population else ()
        found = asked(conditions, condition, table, guidance, interval, flow, people, seed)
        for said in found.warnings:
            log.warning("%s: %s", self.config.name, said)
        return found

    def latent(self, index: int, nfe: int = 1, seed: int = 0, asked: Asked = NOTHING) -> Tensor:
        """Return a sample as a latent (1, C, D, H, W) that the VAE decodes, after
        `nfe` network calls.
        """
        guidance = asked.guidance if asked.led else OFF
        return self.latent_from(self.noise(index, seed), nfe, asked.condition(index), guidance)

    @torch.no_grad()
    def latent_from(
        self,
        noise: Tensor,
        nfe: int = 1,
        condition: Condition | None = None,
        guidance: tuple[float, float, float] = OFF,
    ) -> Tensor:
        """Return latents (B, C, D, H, W) for standard normal noise of that shape, and conditions
        (B, ...) that the network takes; with `guidance` by `flow.guidance.led`. Raises ValueError
        if shapes do not fit.
        """
        if tuple(noise.shape[1:]) != tuple(self.config.shape):
            raise ValueError(
                f"noise has shape {tuple(noise.shape)}, {self.config.name} takes (B, "
                f"{', '.join(map(str, self.config.shape))})"
            )

        moved = condition and {k: v.to(self.device) for k, v in condition.items()}
        predict, solver = self.config.predict, self.config.solver
        start = noise.to(self.device)
        network: Network = self.model.network
        if guidance != OFF:
            null = self.config.conditions.null(1) or {}
            closed = solver == "exponential"  # its guided step is taken as an average velocity
            network = led(exponential(network) if closed else network, null, guidance)
            solver = "average" if closed else solver

        with (
            autocast(self.device, self.precision),
            explain_oom("the network", "precision=bfloat16"),
        ):
            z = sample(network, start, nfe, predict=predict, solver=solver, condition=moved)

        return self.config.stats.denormalise(z / self.config.latent_scale)

    def decode(self, latent: Tensor) -> Volume:
        """Return the volume of a latent (1, C, D, H, W): values in [0, 1], 0 outside the brain,
        RAS, centre at 0 mm.
        """
        if not torch.isfinite(latent).all():
            raise ValueError(
                f"{self.config.name} drew NaN or Inf: precision=float32 "
                "may help; else its weights are of no use"
            )
        components, spacing = self.config.components, self.config.spacing
        return decoded_volume(latent, components, self.vae, spacing, self.decode_memory_gb)

    def decode_lesion(self, latent: Tensor, volume: Volume) -> LesionMask | None:
        """Return the lesion mask of a latent (1, C, D, H, W) whose image is `volume`; None where
        the model draws none.
        """
        if self.mask_code is None:
            return None
        part = split(latent, self.config.components)[LESION]
        smallest, memory = self.smallest_lesion_ml, self.decode_memory_gb
        return decoded_lesion(part, self.mask_code, volume, smallest, memory)

    def draw(
        self, indices: Sequence[int], nfe: int = 1, seed: int = 0, asked: Asked = NOTHING
    ) -> Iterator[Drawn]:
        """Yield samples one by one."""
        for index in indices:
            started = time.perf_counter()
            latent = self.latent(index, nfe, seed, asked)
            wait_for_gpu()
            called = time.perf_counter()
            volume = self.decode(latent)
            lesion = self.decode_lesion(latent, volume)
            decoded = time.perf_counter()
            yield Drawn(index, latent[0].cpu(), volume, called - started, decoded - called, lesion)

    def generate_pairs(
        self,
        n: int,
        nfe: int = 1,
        seed: int = 0,
        condition: Mapping[str, Any] | None = None,
        guidance: float = 1.0,
    ) -> list[tuple[Volume, Volume]]:
        """Return n images, each with its binary lesion mask. Raises ValueError for a model that
        draws no masks, and as `generate` does.
        """
        if self.mask_code is None:
            raise ValueError(
                f"{self.config.name} draws images alone: `neuromf train adapt=` on pairs makes a "
                "model of pairs"
            )
        drawn = self._drawn(n, nfe, seed, condition, guidance)
        return [(d.volume, d.lesion.mask) for d in drawn if d.lesion is not None]

    def generate(
        self,
        n: int,
        nfe: int = 1,
        seed: int = 0,
        condition: Mapping[str, Any] | None = None,
        guidance: float = 1.0,
    ) -> list[Volume]:
        """Return n volumes after `nfe` network calls each, of a condition such as {"age": 70} if
        given, to which a guidance above 1 leads more closely. Without a condition, each sample
        takes that of one of the people in the training, if the model knows them; {"age": None} asks
        for nothing.
        Raises ValueError if n or nfe is below 1, or for a condition that the model does not know.
        """
        return [drawn.volume for drawn in self._drawn(n, nfe, seed, condition, guidance)]

    def _drawn(
        self,
        n: int,
        nfe: int,
        seed: int,
        condition: Mapping[str, Any] | None,
        guidance: float,
    ) -> Iterator[Drawn]:
        if n < 1:
            raise ValueError(f"n is {n}: a number of volumes, 1 or more")
        if nfe < 1:
            raise ValueError(f"nfe is {nfe}: a number of network calls, 1 or more")
        return self.draw(range(n), nfe, seed, self.asked(condition, guidance=guidance, seed=seed))


def load(
    name: str | Path,
    device: str = "auto",
    precision: Precision = "float32",
    decoder: str = "",
    adapter: str = "",
) -> Generator:
    """Return the generator of a model folder, `embedded`, or owner/name on the Hugging Face hub,
    with the adapter in a folder if given.
    """
    model = load_model(name)
    model = load_adapter(model, adapter) if adapter else model
    return Generator(model, device, precision, decoder=decoder)


def noise_of(shape: Sequence[int], index: int, seed: int) -> Tensor:
    """Return standard normal noise (1, *shape), a function of index and seed alone."""
    return torch.randn(1, *shape, generator=generator(Purpose.SAMPLES, seed, index))
