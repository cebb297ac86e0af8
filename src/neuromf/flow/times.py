"""Draws of (t, r): which points of the path, and which intervals, a batch trains on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from neuromf.flow.checks import between


@dataclass(frozen=True)
class TimeSampler:
    """Logit-normal times with exact shares of samples with r = t and of the
    endpoint over the global batch.

    Samples with r = t take one draw (pMF, arXiv 2601.22158); the others take two, t the larger and
    r the smaller (MeanFlow, arXiv 2505.13447, section 4.3). A draw t below `t_min` cannot happen:
    the distribution is cut there, because x-prediction divides by t.
    """

    mean: float = -0.4  # of logit t
    std: float = 1.0  # of logit t
    equal_fraction: float = 0.5  # share of samples with r = t; 1 is flow matching
    t_min: float = 0.02  # smallest t drawn
    # of the samples with r < t: r = 0, and t = 1 in half of them, where one-step sampling lives
    endpoint_fraction: float = 0.1
    max_interval: float = 1.0  # longest h = t - r
    # one draw from each of n equal-probability strata instead of n independent draws
    stratified: bool = False

    def __post_init__(self) -> None:
        if not (0 < self.std < math.inf and math.isfinite(self.mean)):
            raise ValueError(
                f"mean is {self.mean}, std is {self.std}: of logit t; finite, and std above 0"
            )
        between(0, self.equal_fraction, 1, "equal_fraction")
        between(0, self.endpoint_fraction, 1, "endpoint_fraction")
        between(0, self.max_interval, 1, "max_interval")
        if not 0 < self.t_min < 1:
            raise ValueError(
                f"t_min is {self.t_min}: it must lie strictly between 0 and 1 (0.02 is the default)"
            )

    def draw(
        self, n: int, generator: torch.Generator | None = None, *, part: int = 0, parts: int = 1
    ) -> tuple[Tensor, Tensor]:
        """Return t (n,) and r (n,), float32 on the CPU, 0 <= r <= t <= 1, for
        part `part` of a global batch.

        A global batch is `parts` = ranks x accumulation steps draws of n samples. Every part must
        pass a generator in the same state: each draws the whole batch and keeps its own samples,
        so shares are exact over all of them and the samples with r < t, which cost more, are spread
        evenly (n = 1 included). A share that gives no whole number of samples is rounded up or down
        at random, right on average. Raises ValueError where n < 1 or part is not in [0, parts).
        """
        if n < 1 or not 0 <= part < parts:
            raise ValueError(
                f"n = {n}, part = {part}, parts = {parts}: need n >= 1 and 0 <= part < parts"
            )
        if parts > 1 and generator is None:
            raise ValueError(
                f"generator is None with parts = {parts}: "
                "every part must pass one in the same state"
            )
        total = n * parts
        equal = _round_at_random(self.equal_fraction * total, generator)
        end = _round_at_random(self.endpoint_fraction * (total - equal), generator)
        start = _round_at_random(0.5 * end, generator)

        later, earlier = (
            torch.cat(pair)
            for pair in zip(
                self._intervals(end, generator),
                self._intervals(total - equal - end, generator),
                strict=True,
            )
        )
        later[:start], earlier[:end] = 1.0, 0.0
        earlier = torch.maximum(earlier, later - self.max_interval)
        single = self._logit_normal(equal, generator, self.t_min)
        t, r = torch.cat([later, single]), torch.cat([earlier, single])
        rows = _deal(n, parts, generator)[part]
        return t[rows].float(), r[rows].float()

    def _intervals(self, n: int, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        first = self._logit_normal(n, generator, self.t_min)
        second = self._logit_normal(n, generator, 0.0)
        return torch.maximum(first, second), torch.minimum(first, second)

    def _logit_normal(self, n: int, generator: torch.Generator | None, lowest: float) -> Tensor:
        """Return n float64 draws of sigmoid(mean + std N(0, 1)), cut below at `lowest`."""
        u = torch.rand(n, generator=generator, dtype=torch.float64)
        if self.stratified:
            u = (torch.randperm(n, generator=generator) + u) / n
        floor = torch.special.ndtr(
            (torch.logit(torch.tensor(lowest, dtype=torch.float64)) - self.mean) / self.std
        )
        u = (floor + (1 - floor) * u).clamp(1e-12, 1 - 1e-12)
        return torch.sigmoid(self.mean + self.std * torch.special.ndtri(u)).clamp(min=lowest)


def _round_at_random(share: float, generator: torch.Generator | None) -> int:
    """Return floor or ceiling of `share`, right on average; whole numbers stay as they are."""
    share = round(share, 9)  # 0.7 * 10 is 7
    return int(share + torch.rand((), generator=generator, dtype=torch.float64).item())


def _deal(n: int, parts: int, generator: torch.Generator | None) -> Tensor:
    """Return sample numbers (parts, n): consecutive samples go to
    different parts, in random order.
    """
    hands = torch.arange(n * parts).reshape(n, parts).T[torch.randperm(parts, generator=generator)]
    order = torch.stack([torch.randperm(n, generator=generator) for _ in range(parts)])
    return hands.gather(1, order)
