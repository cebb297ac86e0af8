"""The steps of MONAI's RFlowScheduler, with which MAISI is sampled."""

from __future__ import annotations

import torch

THOUSAND = 1000.0  # its time at noise; 0 at data
BASE = 32**3  # positions of a latent whose steps are evenly long


def rflow_steps(steps: int, positions: int) -> list[tuple[float, float]]:
    """Return the steps, each with the time at which the network is asked and the time it leads to:
    1 is noise, 0 is data. Latents have so many `positions` (D x H x W).

    Larger latents take more of their steps near the noise: t' = ρ t / (1 + (ρ - 1) t), where ρ is
    their side over 32. As in MONAI, times are rounded to float16 in units of 1/1000, and a step
    ends at the whole unit below the time of the next one. So steps overlap a little: together the
    30 steps of a latent of 48³ are 1.0103 long.
    """
    ratio = torch.tensor(positions / BASE) ** (1 / 3)
    even = torch.tensor([1 - k / steps for k in range(steps)])
    times = (ratio * even / (1 + (ratio - 1) * even) * THOUSAND).half().double()
    ends = [*times[1:].floor().tolist(), 0.0]
    return [(t / THOUSAND, r / THOUSAND) for t, r in zip(times.tolist(), ends, strict=True)]
