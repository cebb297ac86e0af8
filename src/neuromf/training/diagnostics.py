"""Measurements of the objective on a fixed batch (sizes, angles, shares), and of how far the
weights move.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from neuromf.flow import Loss, Terms, composition_residual
from neuromf.runtime.device import autocast
from neuromf.runtime.files import write_json
from neuromf.runtime.tables import write_table
from neuromf.training.bar import Bar
from neuromf.training.batches import Batch, Batches
from neuromf.training.callback import PeriodicCallback
from neuromf.training.config import TrainConfig
from neuromf.training.log import Log
from neuromf.training.loop import Loop
from neuromf.training.state import Row
from neuromf.training.watched import Watched


class DiagnosticsCallback(PeriodicCallback):
    """Writes one row of diagnostics.csv and one JSON file at every period; in between nothing is
    computed.
    """

    what = "diagnostics of the objective, into diagnostics.csv"

    def __init__(self, log: Log, bar: Bar, out: Path, config: TrainConfig, batch: Batch) -> None:
        super().__init__(log, bar, config.diagnostics.every, config.updates)
        self.out, self.batch = out, batch
        self.objective, self.precision = config.objective, config.precision
        self.weights: dict[str, Tensor] = {}  # before the update that is looked at
        self.gradients: Row = {}

    @classmethod
    def of(cls, run: Watched) -> list[DiagnosticsCallback]:
        """Return the diagnostics of a run, on a batch that never changes; none if never asked
        for.
        """
        config = run.config
        if not config.diagnostics.every:
            return []
        one = replace(config, batch=config.diagnostics.batch, accumulate=1)
        one = replace(one, equal_fraction=None, max_interval=None)
        fixed = Batches(run.data.train, one, known=run.data.known)
        return [cls(run.log, run.bar, run.out, config, fixed.batch(0, 0))]

    def on_after_backward(self, trainer: pl.Trainer, loop: Loop) -> None:
        """Keep the weights and gradients of before the update that is measured; of several backward
        passes the last one counts.
        """
        if self.due(loop.state.update + 1) and trainer.is_global_zero:
            with self.run_log.pause():
                named = dict(loop.network.named_parameters())
                self.gradients = block_norms(
                    {k: p.grad for k, p in named.items() if p.grad is not None}
                )
                self.weights = {k: p.detach().clone() for k, p in named.items()}

    def observe(self, loop: Loop) -> None:
        """Measure and write."""
        update, named = loop.state.update, dict(loop.network.named_parameters())
        average = dict(loop.average.named_parameters())
        changes = {k: named[k].detach() - before for k, before in self.weights.items()}
        gaps = {k: p.detach() - average[k] for k, p in named.items()}
        self.weights = {}

        row: Row = {"update": update, **self.on_batch(loop)}
        row |= {f"gradient/{k}": v for k, v in self.gradients.items()}
        row |= {f"change/{k}": v for k, v in block_norms(changes).items()}
        row["ema_distance"] = norm(gaps.values()) / norm(average.values())

        folder = self.out / "diagnostics"
        folder.mkdir(exist_ok=True)
        write_json(folder / f"update-{update:08d}.json", row)
        written = sorted(folder.glob("update-*.json"))
        rows = [json.loads(path.read_text(encoding="utf-8")) for path in written]
        write_table(self.out / "diagnostics.csv", [r for r in rows if r["update"] <= update])
        self.run_log.scalars(
            {f"diagnostics/{k}": v for k, v in row.items() if k != "update"}, update
        )

    @torch.no_grad()
    def on_batch(self, loop: Loop) -> Row:
        """Return what one evaluation of the objective on the fixed batch shows."""
        objective, batch = self.objective, self.batch.to(loop.device)
        with autocast(loop.device, self.precision):
            terms = batch.terms(objective, loop.network)
            found = measures(terms, objective.loss(terms))
            if objective.solver == "euler":  # no average velocity to speak of
                return found
            t, s, r = (torch.full_like(batch.t[:2], value) for value in (1.0, 0.5, 0.0))
            residual = composition_residual(
                lambda *a: objective.velocity(loop.average, *a), batch.noise[:2], t, s, r
            )
        return found | {"composition_residual": float(residual.mean())}


def measures(terms: Terms, loss: Loss) -> Row:
    """Return what a batch shows: loss parts, root mean squares, the angle
    of V and v_c, weights, times.
    """
    h = terms.t - terms.r
    row: Row = {"raw": loss.raw, "raw_equal": loss.raw_equal, "raw_interval": loss.raw_interval}
    row |= {f"raw_channel_{c}": value for c, value in enumerate(loss.channels)}
    row |= {
        f"raw_h_{low}_{high}": _over(loss.samples, (h >= low) & (h < high)) for low, high in BINS
    }
    quantities = {
        "u": terms.u,
        "v_tangent": terms.tangent,
        "V": terms.compound,
        "dudt": terms.dudt,
        "v_c": terms.target,
    }
    if terms.head is not None:
        quantities["head"] = terms.head
    row |= {f"rms_{name}": value.square().mean().sqrt() for name, value in quantities.items()}
    cosines = nn.functional.cosine_similarity(terms.compound.flatten(1), terms.target.flatten(1))
    row |= {
        "cosine_V_v_c": cosines.mean(),
        "weight_mean": loss.weight.mean(),
        "weight_max": loss.weight.max(),
    }
    row |= {"t_mean": terms.t.mean(), "h_mean": h.mean(), "share_equal": (h == 0).float().mean()}

    return {name: float(value) for name, value in row.items()}


BINS = ((0.0, 0.1), (0.1, 0.3), (0.3, 0.6), (0.6, 1.01))  # of h = t - r


def block_norms(tensors: dict[str, Tensor]) -> Row:
    """Return the norm over each block of the network: body.down_blocks.0, body.middle_block, ..."""
    blocks: dict[str, list[Tensor]] = {}
    for name, tensor in tensors.items():
        parts = name.split(".")
        blocks.setdefault(
            ".".join(parts[: 3 if len(parts) > 3 and parts[2].isdigit() else 2]), []
        ).append(tensor)
    return {name: norm(values) for name, values in blocks.items()}


def norm(tensors: Any) -> float:
    """Return the Euclidean norm of all tensors together."""
    return float(torch.stack([t.detach().float().square().sum() for t in tensors]).sum().sqrt())


def _over(rows: Tensor, kind: Tensor) -> Tensor:
    return rows[kind].mean() if kind.any() else rows.new_tensor(torch.nan)
