"""Where a run stands, weights aside: a plain value, saved with every checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

Row = dict[str, Any]


@dataclass
class TrainState:
    """What a resumed run needs besides weights, so that it writes the same rows."""

    update: int = 0  # updates done, of earlier starts too
    skipped: int = 0  # the last ones in a row whose gradient was not finite
    rows: list[Row] = field(default_factory=list)  # of log.csv
    evaluations: list[Row] = field(default_factory=list)  # of evaluation.csv
    sums: Tensor = field(default_factory=lambda: torch.zeros(()))  # since the last row of log.csv
    norms: list[float] = field(default_factory=list)  # gradient norms since then

    def record(self) -> dict[str, Any]:
        """Return the state as plain values, for a checkpoint."""
        return {**vars(self), "sums": self.sums.tolist()}

    @classmethod
    def read(cls, record: dict[str, Any], first: bool = True) -> TrainState:
        """Return the state that `record` gave. The sums are those of the first process, which
        saved them: the others start from 0.
        """
        sums = torch.tensor(record["sums"] if first else 0.0, dtype=torch.float64)
        return cls(**{**record, "sums": sums})
