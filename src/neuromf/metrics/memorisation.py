"""Does a model copy its training data? Distances from samples to the nearest training volume,
against those of held-out people.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

QUANTILE = 0.05  # of held-out people's distances: a sample nearer than this is looked at


@dataclass(frozen=True)
class Memorisation:
    """Distances to the nearest training volume, of samples and of held-out people (after
    arXiv 2402.01054).
    """

    samples: Tensor  # (N,)
    held_out: Tensor  # (M,)

    @property
    def threshold(self) -> float:
        """The distance below which no more than `QUANTILE` of the held-out people lie."""
        return float(self.held_out.double().quantile(QUANTILE))

    @property
    def flagged(self) -> Tensor:
        """Which samples (N,) are nearer than the threshold; without copying, a
        share of `expected` is.
        """
        return self.samples < self.threshold

    @property
    def expected(self) -> float:
        """Share of samples that is flagged on average without copying: more than `QUANTILE` if the
        quantile is of few people.
        """
        m = len(self.held_out)
        return (QUANTILE * (m - 1) + 1) / (m + 1)

    @property
    def nearer(self) -> float:
        """Probability that a sample is nearer to the training data than a held-out person: 0.5
        without copying.
        """
        gap = self.held_out[None, :].double() - self.samples[:, None].double()
        return float(((gap > 0).double() + 0.5 * (gap == 0).double()).mean())

    @property
    def ratio(self) -> float:
        """Median distance of samples divided by that of held-out people: 1 without copying, 0 if
        all are copies.
        """
        return float(
            self.samples.median()
            / self.held_out.median().clamp(min=torch.finfo(torch.float64).tiny)
        )
