"""The Lightning module: network, objective, optimiser, averages of the weights. A
step is a function of its batch.
"""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from neuromf.flow import Loss
from neuromf.nets import DualTimeUNet, ema_model
from neuromf.pretrained.statedict import load_strict
from neuromf.runtime.device import say_memory
from neuromf.training.batches import Batch
from neuromf.training.config import TrainConfig

LOWER = (
    "a smaller batch with a larger accumulate, network.checkpointing=true, "
    "precision=bfloat16, or a smaller network"
)


class MeanFlowModule(pl.LightningModule):
    """Trains a network with the objective of its configuration; `update` counts
    updates, of earlier starts too.
    """

    def __init__(self, network: DualTimeUNet, config: TrainConfig) -> None:
        super().__init__()
        self.network, self.config, self.update = network, config, 0
        # no part of the module: not trained
        self.averages = {decay: ema_model(network, decay) for decay in config.ema}
        # in a tuple: no second submodule
        self._called = (torch.compile(network) if config.compile else network,)
        self.skipped = 0  # updates in a row whose gradient was not finite
        self.loss: Loss | None = None  # of the last batch
        self.gradient_norm = torch.zeros(())  # of the last update, before clipping

    @property
    def average(self) -> nn.Module:
        """The averaged network that sampling uses."""
        return self.averages[self.config.ema[0]].module

    def on_fit_start(self) -> None:
        for average in self.averages.values():
            average.to(self.device)

    def training_step(self, batch: Batch, number: int) -> Tensor:
        """Return the loss of a batch."""
        with say_memory(
            f"a training step of {len(batch.x)} latents {tuple(batch.x.shape[1:])}", LOWER
        ):
            objective = self.config.objective
            self.loss = objective.loss(objective.terms(self._called[0], *batch))
        return self.loss.total

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        with say_memory("the backward pass", LOWER):
            super().backward(loss, *args, **kwargs)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        o = self.config.optimiser
        return torch.optim.AdamW(
            self.network.parameters(), lr=o.lr, betas=o.betas, weight_decay=o.weight_decay
        )

    def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
        """Set the update's learning rate and clip the gradient; drop one that is not
        finite, so that nothing moves.
        """
        o = self.config.optimiser
        for group in optimizer.param_groups:
            group["lr"] = o.rate(self.update, self.config.updates)
        parameters = [p for p in self.network.parameters() if p.grad is not None]
        self.gradient_norm = nn.utils.clip_grad_norm_(parameters, o.clip)
        finite = bool(torch.isfinite(self.gradient_norm))
        self.skipped = 0 if finite else self.skipped + 1
        if not finite:
            optimizer.zero_grad(set_to_none=True)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step, average the weights and count, once an update."""
        super().optimizer_step(*args, **kwargs)
        for average in self.averages.values():
            average.update_parameters(self.network)
        self.update += 1

    def ends_update(self, number: int) -> bool:
        """Say whether batch `number` of this start, counted from 0,
        was the last one of an update.
        """
        return (number + 1) % self.config.accumulate == 0

    def state(self) -> dict[str, Any]:
        """Return network, averages, optimiser and count for a checkpoint."""
        optimiser = self.optimizers(use_pl_optimizer=False)
        return {
            "update": self.update,
            "skipped": self.skipped,
            "network": self.network.state_dict(),
            "averages": {
                str(decay): average.module.state_dict() for decay, average in self.averages.items()
            },
            "averaged": {
                str(decay): int(average.n_averaged) for decay, average in self.averages.items()
            },
            "optimiser": optimiser.state_dict(),  # type: ignore[union-attr]
        }

    def load_weights(self, state: dict[str, Any], what: str) -> None:
        """Take network, averages and count of a checkpoint, strictly; the optimiser comes
        when it is there.
        """
        self.update, self.skipped = state["update"], state["skipped"]
        load_strict(self.network, state["network"], what)
        for decay, average in self.averages.items():
            load_strict(average.module, state["averages"][str(decay)], what)
            average.n_averaged.fill_(state["averaged"][str(decay)])

    def load_optimiser(self, state: dict[str, Any]) -> None:
        """Take the optimiser's state of a checkpoint."""
        self.optimizers(use_pl_optimizer=False).load_state_dict(state)  # type: ignore[union-attr]
