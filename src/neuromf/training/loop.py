"""The training loop. One function shows an update from top to bottom: forward, backward, clip,
step, average; what is trained brings its own loss.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from neuromf.nets.ema import ema_model
from neuromf.pretrained.statedict import load_strict
from neuromf.runtime.device import Precision, autocast, explain_oom
from neuromf.training.optimiser import Optimiser
from neuromf.training.ranks import in_job
from neuromf.training.state import TrainState

# Of a process, by its rank and the number of processes: the batches of each update.
BatchSource = Callable[[int, int], Iterable[Any]]


class Task(Protocol):
    """What is trained: a network, and what it is trained for."""

    @property
    def network(self) -> nn.Module:
        """The network that is trained."""

    advice: str  # what to lower where memory does not suffice

    def loss(self, batch: Any) -> tuple[Tensor, Tensor]:
        """Return the loss () of a batch, with its graph, and sums (K,) for the log, detached,
        which add up over batches and processes.
        """

    def means(self, sums: Sequence[float]) -> dict[str, float]:
        """Return what the log shows of such sums, by name."""


@dataclass(frozen=True)
class Hardware:
    """Where a training runs: processes and their devices."""

    device: torch.device
    devices: int = 1  # processes of a node
    nodes: int = 1


class Loop(pl.LightningModule):
    """Trains the network of a task. `averages` are moving averages of its weights by their decay,
    `state` says where the run stands.

    A batch of the loop is a list of the task's batches: those of one update, whose gradients are
    averaged.
    """

    def __init__(
        self,
        task: Task,
        optimiser: Optimiser,
        updates: int,
        ema: Sequence[float],
        precision: Precision = "float32",
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.task, self.settings, self.updates = task, optimiser, updates
        self.network = task.network
        # No part of the module: averages are not trained.
        self.averages = {decay: ema_model(task.network, decay) for decay in ema}
        self.precision, self.state = precision, TrainState()
        self._resumed: dict[str, Any] | None = None  # an optimiser's state, until there is one

    @property
    def average(self) -> nn.Module:
        """The averaged network that sampling uses."""
        return next(iter(self.averages.values())).module

    def training_step(self, batches: Sequence[Any], number: int) -> dict[str, Any]:
        """Make one update: forward and backward of its batches, clip, step, average.

        Returns what the log shows of it: `sums` of the task, the `gradient_norm` before clipping
        and the learning rate `lr`.
        """
        optimiser: Any = self.optimizers()
        scheduler: Any = self.lr_schedulers()
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        optimiser.zero_grad()
        sums = torch.zeros((), dtype=torch.float64)  # on the CPU: not all devices have it

        for part, batch in enumerate(batches, 1):
            last = part == len(batches)
            with self._gradients_shared(last), explain_oom("a training step", self.task.advice):
                with autocast(self.device, self.precision):
                    loss, observed = self.task.loss(batch)
                self.manual_backward(loss / len(batches))
            sums = sums + observed

        received = [p for p in parameters if p.grad is not None]
        norm = nn.utils.clip_grad_norm_(received, self.settings.clip)
        finite = bool(torch.isfinite(norm))
        if not finite:  # without gradients the step moves nothing
            optimiser.zero_grad()
        lr = optimiser.param_groups[0]["lr"]
        optimiser.step()
        scheduler.step()
        for average in self.averages.values():
            average.update_parameters(self.network)

        self.state.update += 1
        self.state.skipped = 0 if finite else self.state.skipped + 1
        return {"sums": sums, "gradient_norm": norm, "lr": lr}

    def _gradients_shared(self, shared: bool) -> AbstractContextManager[Any]:
        """Return the context of a backward pass whose gradients go to the other processes, or
        stay for the next batch of the same update.
        """
        strategy: Any = self.trainer.strategy
        alone = shared or not hasattr(strategy, "block_backward_sync")
        return contextlib.nullcontext() if alone else strategy.block_backward_sync()

    def on_fit_start(self) -> None:
        for average in self.averages.values():
            average.to(self.device)

    def configure_optimizers(self) -> Any:
        o, done = self.settings, self.state.update
        optimiser = o.of(self.network)
        if self._resumed is not None:
            optimiser.load_state_dict(self._resumed)
            self._resumed = None
        for group in optimiser.param_groups:
            group["initial_lr"] = o.lr
        # The schedule is a function of the update alone, so its state needs no saving.
        schedule = LambdaLR(optimiser, lambda n: o.factor(n, self.updates), last_epoch=done - 1)
        return [optimiser], [schedule]

    def checkpoint(self) -> dict[str, Any]:
        """Return network, averages, optimiser and state, for a file."""
        optimiser: Any = self.optimizers(use_pl_optimizer=False)
        return {
            "network": self.network.state_dict(),
            "averages": {str(d): a.module.state_dict() for d, a in self.averages.items()},
            "averaged": {str(d): int(a.n_averaged) for d, a in self.averages.items()},
            "optimiser": optimiser.state_dict(),
            "state": self.state.record(),
        }

    def resume(self, checkpoint: dict[str, Any], where: str, first: bool = True) -> None:
        """Restore what `checkpoint` returned. Raises WeightsError if weights do not fit."""
        self.state = TrainState.read(checkpoint["state"], first)
        load_strict(self.network, checkpoint["network"], where)
        for decay, average in self.averages.items():
            load_strict(average.module, checkpoint["averages"][str(decay)], where)
            average.n_averaged.fill_(checkpoint["averaged"][str(decay)])
        self._resumed = checkpoint["optimiser"]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning's remarks off the terminal: the run itself says what matters of them."""
    names = ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


@quiet()
def fit(
    loop: Loop, batches: BatchSource, hardware: Hardware, callbacks: Sequence[pl.Callback] = ()
) -> None:
    """Make one update for each element of batches(rank, processes), or until a callback ends the
    run.

    Raises ValueError where the devices asked for are not there.
    """
    trainer = pl.Trainer(**trainer_options(hardware), callbacks=list(callbacks))
    before = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(loop, batches(trainer.global_rank, trainer.world_size))
    except SystemExit as error:
        # Lightning ends the process after Ctrl-C, and ignores it from then on.
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt from None


def trainer_options(hardware: Hardware) -> dict[str, Any]:
    """Return what Lightning is asked for: devices. Precision, logging and saving are ours."""
    device, several = hardware.device, hardware.devices * hardware.nodes > 1
    if several and device.type == "cuda" and hardware.devices > torch.cuda.device_count():
        raise ValueError(
            f"devices={hardware.devices}: torch sees {torch.cuda.device_count()} GPUs here"
        )
    if several and device.type == "mps":
        raise ValueError(f"devices={hardware.devices}: an Apple GPU is one device; devices=1")
    if several and device.index is not None:
        raise ValueError(
            f"device={device} names one GPU, devices={hardware.devices}: device=cuda takes the "
            "first ones"
        )

    one = [device.index] if device.type == "cuda" and device.index is not None else 1
    return {
        "accelerator": {"cuda": "gpu"}.get(device.type, device.type),
        "devices": hardware.devices if several else one,
        "num_nodes": hardware.nodes,
        "strategy": "ddp" if several else "auto",
        "max_epochs": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "plugins": [SLURMEnvironment(auto_requeue=False)] if in_job() else None,
    }
