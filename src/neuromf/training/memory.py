"""How much memory a training takes, estimated before it begins, and what is free."""

from __future__ import annotations

import functools
from dataclasses import replace

import psutil
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.nets import DualTimeUNet, UNetConfig
from neuromf.runtime.device import Precision, autocast
from neuromf.training.config import TrainConfig
from neuromf.training.distillation import ALONE, Distillation
from neuromf.training.watched import DECODE_GB

# temporary memory of a step, relative to what backward would keep without checkpointing: with
# checkpointing a recomputed block and its gradients, without it gradients alone
# (benchmarks/results/step-brain.json)
PASSING = {True: 0.8, False: 0.33}


def memory_gb(
    network: nn.Module,
    config: TrainConfig,
    shape: tuple[int, ...],
    vae: FrozenVAE | None = None,
) -> float:
    """Return an estimate of the memory of a training on latents of a shape (C, D, H, W): of a step,
    see `step_memory`, or of decoding a sample between steps, if that takes more.
    """
    parameters = sum(p.numel() for p in network.parameters())
    fixed, each = step_memory(parameters, config, shape)
    decoding = 0.0 if vae is None else vae.decode_gb(shape[1:], DECODE_GB)
    return fixed + max(each * config.batch, decoding)


def step_memory(
    parameters: int, config: TrainConfig, shape: tuple[int, ...]
) -> tuple[float, float]:
    """Return the memory of a step in GB: of all that does not depend on the batch, and of each of
    its latents (C, D, H, W); see `step_parts`.
    """
    one, two = (
        sum(step_parts(parameters, replace(config, batch=n), shape).values()) for n in (1, 2)
    )
    return 2 * one - two, two - one


def step_parts(
    parameters: int, config: TrainConfig, shape: tuple[int, ...] = ()
) -> dict[str, float]:
    """Return the memory of a step in GB by what holds it, for a batch of latents (C, D, H, W);
    without a shape, what does not depend on it.

    The optimiser has two numbers a weight with AdamW; Muon's matrices have one, which makes this
    its upper bound. A teacher and its guide are taken to be as large as the student. Activations
    are counted on tensors that have sizes and no numbers.
    """
    weights = 4 * parameters
    parts = {"weights": weights, "gradients": weights, "optimiser": 2 * weights}
    parts["averages"] = len(config.ema) * weights
    if taught(config):
        parts["teacher"] = weights * (2 if config.distillation.guide not in ("", ALONE) else 1)
    if shape:
        # what the network is called with: of trajectories, every pair of points of each latent
        pairs = config.distillation.pairs if config.distillation.target == "trajectory" else 1
        rows = config.batch * pairs
        checkpointing = config.network.checkpointing
        (copies, kept), (_, plain) = (
            kept_bytes(replace(config.network, checkpointing=way), shape, config.precision)
            for way in (checkpointing, False)
        )
        if config.objective.flow_weight:
            kept += round(kept * (1 - config.times.equal_fraction))  # u(z, t, t) where r < t
        parts["kept for backward"] = copies + rows * kept
        parts["in passing"] = round(rows * PASSING[checkpointing] * plain)
    return {name: size / 1e9 for name, size in parts.items()}


def taught(config: TrainConfig) -> bool:
    """Return True for a training that has a teacher, or, as a preset, waits for one."""
    return bool(config.teacher) or config.distillation != Distillation()


@functools.cache  # a network takes a second to build, and a step is estimated at several batches
def kept_bytes(
    network: UNetConfig, shape: tuple[int, ...], precision: Precision
) -> tuple[int, int]:
    """Return the bytes that backward keeps: those that do not depend on the number of latents
    (weights in another precision), and those of each latent (C, D, H, W). Nothing is computed.
    """
    with FakeTensorMode():  # sizes without numbers
        unet = DualTimeUNet(replace(network, latent_channels=shape[0]))
        one, two = (_kept(unet, shape, precision, n) for n in (1, 2))
    return 2 * one - two, two - one


def _kept(unet: nn.Module, shape: tuple[int, ...], precision: Precision, n: int) -> int:
    counted = Kept()
    z, t = torch.zeros(n, *shape), torch.ones(n)
    with (
        torch.autograd.graph.saved_tensors_hooks(counted.pack, lambda x: x),
        autocast(z.device, precision),
    ):
        unet(z, t, 0 * t)
    own = {storage_key(p) for p in unet.parameters()}
    return sum(size for key, size in counted.storages.items() if key not in own)


def storage_key(x: Tensor) -> int:
    """Return a number that tensors with one storage share, also where it has no memory."""
    return x.untyped_storage()._cdata


class Kept:
    """Collects the storages that autograd keeps for backward."""

    def __init__(self) -> None:
        self.storages: dict[int, int] = {}
        self._alive: list[Tensor] = []  # so that no later storage gets the key of an earlier one

    def pack(self, x: Tensor) -> Tensor:
        """Note a tensor and return it."""
        self._alive.append(x)
        self.storages[storage_key(x)] = x.untyped_storage().nbytes()
        return x


def free_gb(device: torch.device) -> float:
    """Return the memory that is free, in GB."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] / 1e9
    free = psutil.virtual_memory().available
    if device.type == "mps":  # shares the machine's memory, of which Metal lends a part
        lent = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
        free = min(free, lent)
    return free / 1e9
