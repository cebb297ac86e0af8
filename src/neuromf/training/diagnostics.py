"""What the objective does, on a batch that never changes: sizes, angles, shares;
and how far the weights move.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from neuromf.flow import Loss, Terms, composition_residual
from neuromf.runtime.device import autocast
from neuromf.runtime.files import write_json
from neuromf.runtime.tables import write_table
from neuromf.training.batches import Batch
from neuromf.training.callback import Look
from neuromf.training.config import TrainConfig
from neuromf.training.log import Meter, Row
from neuromf.training.loop import MeanFlowModule


class DiagnosticsLook(Look):
    """One row of diagnostics.csv, and one JSON file, a look; nothing is computed between looks."""

    what = "diagnostics of the objective, into diagnostics.csv"

    def __init__(self, meter: Meter, out: Path, config: TrainConfig, batch: Batch) -> None:
        super().__init__(meter)
        self.out, self.config, self.batch = out, config, batch
        self.every = config.diagnostics.every
        self.weights: dict[str, Tensor] = {}  # before the update that is looked at
        self.gradients: Row = {}

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, module: MeanFlowModule, optimizer: Any
    ) -> None:
        """Note gradients and weights before the update that is looked at."""
        if self.due(module.update + 1) and trainer.is_global_zero:
            with self.meter.pause():
                self.gradients = block_norms(
                    {k: p.grad for k, p in module.network.named_parameters() if p.grad is not None}
                )
                self.weights = {k: p.detach().clone() for k, p in module.network.named_parameters()}

    def look(self, module: MeanFlowModule) -> None:
        """Measure and write."""
        changes = {
            k: p.detach() - self.weights[k]
            for k, p in module.network.named_parameters()
            if k in self.weights
        }
        self.weights = {}
        average = dict(module.average.named_parameters())
        gaps = {k: p.detach() - average[k] for k, p in module.network.named_parameters()}
        row: Row = {"update": module.update, **on_batch(module, self.batch)}
        row |= {f"gradient/{k}": v for k, v in self.gradients.items()}
        row |= {f"change/{k}": v for k, v in block_norms(changes).items()}
        row["ema_distance"] = norm(gaps.values()) / norm(average.values())
        folder = self.out / "diagnostics"
        folder.mkdir(exist_ok=True)
        write_json(folder / f"update-{module.update:08d}.json", row)
        rows = [
            json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(folder.glob("update-*.json"))
        ]
        write_table(self.out / "diagnostics.csv", [r for r in rows if r["update"] <= module.update])
        self.meter.scalars(
            {f"diagnostics/{k}": v for k, v in row.items() if k != "update"}, module.update
        )


@torch.no_grad()
def on_batch(module: MeanFlowModule, batch: Batch) -> Row:
    """Return the figures of one evaluation of the objective."""
    objective, config = module.config.objective, module.config
    batch = Batch(*(v.to(module.device) for v in batch))
    with autocast(module.device, config.precision):
        terms = objective.terms(module.network, *batch)
        loss = objective.loss(terms)
        if objective.solver == "euler":  # no average velocity to speak of
            return figures(terms, loss)
        t, s, r = (torch.full_like(batch.t[:2], value) for value in (1.0, 0.5, 0.0))
        residual = composition_residual(
            lambda *a: objective.velocity(module.average, *a),
            batch.noise[:2],
            t,
            s,
            r,
        )
    return figures(terms, loss) | {"composition_residual": float(residual.mean())}


def figures(terms: Terms, loss: Loss) -> Row:
    """Return what a batch shows: loss parts, root mean squares, the angle
    of V and v_c, weights, times.
    """
    h = terms.t - terms.r
    row: Row = {"raw": loss.raw, "raw_equal": loss.raw_equal, "raw_interval": loss.raw_interval}
    row |= {f"raw_channel_{c}": value for c, value in enumerate(loss.channels)}
    row |= {f"raw_h_{low}_{high}": _over(loss.rows, (h >= low) & (h < high)) for low, high in BINS}
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
