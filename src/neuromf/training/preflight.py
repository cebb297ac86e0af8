"""What is checked before a run: the derivative, the memory, settings that are
known to fail; a few seconds.
"""

from __future__ import annotations

import copy
import logging
import math
from typing import Any

import torch
from torch import nn

from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.flow.jvp import WAYS, exact_jvp, finite_jvp
from neuromf.nets.precondition import backbone
from neuromf.runtime.device import autocast, has_bf16
from neuromf.training.config import TrainConfig
from neuromf.training.memory import free_gb, memory_gb

log = logging.getLogger("neuromf")
LARGEST = 16  # voxels per side of the latents that the derivative is checked on
MANY = 10_000  # numbers a latent
TOLERANCE = {"float32": 0.01, "bfloat16": 0.15}  # relative, against a central difference in float32


class PreflightError(ValueError):
    """A machine or network on which training would go wrong."""


def warnings(config: TrainConfig, shape: tuple[int, ...]) -> list[str]:
    """Return what is known to go wrong with settings that are allowed, for
    latents of a shape (C, D, H, W).
    """
    said = []
    for decay in config.ema:
        window = 1 / (1 - decay)
        if window > max(1, config.updates / 5):
            said.append(
                f"ema={decay} averages over {window:.0f} updates of {config.updates}: the "
                "average lags behind; "
                f"ema={fitting_decay(config.updates)} suits such a run"
            )

    if config.optimiser.lr > 2e-3:
        said.append(f"optimiser.lr={config.optimiser.lr} is high: 1e-4 to 1e-3 is usual")
    if config.times.endpoint_fraction == 0 and config.objective.jvp != "none":
        said.append(
            "times.endpoint_fraction=0: t = 1, r = 0, all that "
            "one-step sampling uses, is hardly ever drawn"
        )

    plain = config.precondition.kind == "none"
    if config.objective.jvp == "finite" and config.objective.predict == "u" and plain:
        said.append(
            "objective.jvp=finite with predict=u: differences of u lose more digits than those of x̂"
        )

    if config.objective.weight_power == 1 and config.objective.weight_eps < 1e-4:
        said.append(
            f"objective.weight_eps={config.objective.weight_eps}: samples that "
            "fit well get enormous weights"
        )

    if config.latent_scale > 0.5 and math.prod(shape) > MANY and config.objective.jvp != "none":
        said.append(
            f"latent_scale={config.latent_scale} with {math.prod(shape)} numbers a latent: large "
            "structures are decided so close to t = 1 that du/dt explodes there; "
            "latent_scale=0.3 trained well"
        )

    return said


def fitting_decay(updates: int) -> str:
    """Return a decay that averages over a twentieth of a run, with four digits, or as many as it
    takes to stay below 1.
    """
    decay = max(0.0, 1 - 20 / updates)
    written = (f"{decay:.{digits}g}" for digits in range(4, 17))
    return next(text for text in written if float(text) < 1)


def check_derivative(network: nn.Module, config: TrainConfig, shape: tuple[int, ...]) -> float:
    """Return the relative error of du/dt, on this device and in this precision,
    against a central difference.

    A new network returns zeros, so a copy of it with random weights is checked. The error is 0
    where no derivative is taken. Raises PreflightError if it is too large.
    """
    if not config.differentiates:
        return 0.0
    probe = with_random_weights(backbone(network))  # the rest is in closed form
    divisor = config.network.divisor
    sizes = [min(n, max(divisor, LARGEST // divisor * divisor)) for n in shape[1:]]
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(0)
    z, tangent = (
        torch.randn(2, shape[0], *sizes, generator=generator).to(device) for _ in range(2)
    )
    t, r = torch.tensor([0.8, 0.5], device=device), torch.tensor([0.3, 0.1], device=device)
    samples = torch.arange(2, device=device)
    with autocast(device, config.precision):
        jvp = WAYS[config.objective.jvp](probe, z, t, r, samples, tangent)[2].detach().float()
    oracle = exact_jvp if config.objective.jvp == "finite" else finite_jvp
    expected = oracle(probe, z, t, r, tangent)
    error = float((jvp - expected).norm() / expected.norm())
    if not error < TOLERANCE[config.precision]:
        raise PreflightError(
            f"du/dt by objective.jvp={config.objective.jvp} in {config.precision} differs from "
            f"its reference by {100 * error:.2g} %, {100 * TOLERANCE[config.precision]:g} % is "
            "expected: take objective.jvp=exact or precision=float32"
        )

    return error


def with_random_weights(network: nn.Module) -> nn.Module:
    """Return a copy whose zero weights, and all others, have the usual spread."""
    probe = copy.deepcopy(network).requires_grad_(False)
    generator = torch.Generator().manual_seed(1)
    layer: Any
    for layer in probe.modules():
        if hasattr(layer, "lora_scale"):
            layer.lora_scale = 1.0  # a large term would lose digits in differences
    for parameter in probe.parameters():
        if parameter.ndim > 1:
            values = torch.randn(parameter.shape, generator=generator) / math.sqrt(
                parameter[0].numel()
            )
            parameter.copy_(values)
    return probe


def preflight(
    network: nn.Module,
    config: TrainConfig,
    shape: tuple[int, ...],
    vae: FrozenVAE | None = None,
) -> list[str]:
    """Check, log, and return what the user should know of a training whose samples `vae` decodes.
    Raises PreflightError where training would go wrong.
    """
    device = next(network.parameters()).device
    error = check_derivative(network, config, shape)
    need, free = memory_gb(network, config, shape, vae), free_gb(device)
    parameters = sum(p.numel() for p in network.parameters())
    log.info("network: %.1f million parameters; du/dt is right to %.2g", parameters / 1e6, error)
    log.info("memory: about %.1f GB of %.1f GB free on %s", need, free, device)
    said = warnings(config, shape)
    if config.precision == "bfloat16" and not has_bf16(device):
        said.append(
            f"{device} is not known to have bfloat16 instructions, without which "
            "precision=float32 is faster"
        )
    if need > free:
        said.append(
            f"training needs about {need:.1f} GB, {free:.1f} GB are free on {device}: lower batch "
            "(and raise accumulate), or set network.checkpointing=true"
        )

    return said
