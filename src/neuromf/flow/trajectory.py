"""Learning from the trajectories of a trained flow: secants between their points are average
velocities, known without a derivative.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from neuromf.flow.checks import check_latents, check_same_shape, check_times
from neuromf.flow.network import Condition, Network, predict_main
from neuromf.flow.objective import MeanFlow
from neuromf.flow.path import per_sample, step, to_velocity
from neuromf.flow.sampler import Velocity
from neuromf.flow.terms import Terms


@torch.no_grad()
def trajectory(velocity: Velocity, noise: Tensor, steps: int) -> Tensor:
    """Return the points (steps + 1, B, C, *spatial) that a flow passes from noise (B, C, *spatial),
    at t = 1, to data, at t = 0, at times 1 - k / steps.
    """
    grid = torch.linspace(1, 0, steps + 1).to(noise)
    points = [noise]
    for t, r in pairwise(grid):
        start, end = t.expand(len(noise)), r.expand(len(noise))
        points.append(step(points[-1], velocity(points[-1], start, end), start, end, "u"))
    return torch.stack(points)


def draw_secants(pairs: int, steps: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the first and the last point (pairs,) of secants, 0 <= first < last <= steps.

    Half of them end at the data, where one call has to arrive, and a third of those start from
    noise (CMT, arXiv 2509.24526, draws pairs uniformly).
    """
    first, last = torch.zeros(pairs, dtype=torch.long), torch.full((pairs,), steps)
    for k in range(pairs):
        if k % 2:
            two = torch.randperm(steps + 1, generator=generator)[:2]
            first[k], last[k] = two.min(), two.max()
        elif torch.rand((), generator=generator) > 1 / 3:
            first[k] = torch.randint(steps, (), generator=generator)
    return first, last


def secants(points: Tensor, first: Tensor, last: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return z (B pairs, C, *spatial), t, r (B pairs,) and the average velocity between z_t and
    z_r, for every trajectory of `points` and every pair.
    """
    steps = len(points) - 1
    start, end = points[first].flatten(0, 1), points[last].flatten(0, 1)
    t, r = ((1 - k.to(start) / steps).repeat_interleave(points.shape[1]) for k in (first, last))
    return start, t, r, (start - end) / per_sample(t - r, like=start)


def regression_terms(
    objective: MeanFlow,
    net: Network,
    z: Tensor,
    t: Tensor,
    r: Tensor,
    target: Tensor,
    condition: Condition | None = None,
) -> Terms:
    """Return the objective's terms where the average velocity u(z, t, r) itself is known: it is
    regressed on `target`, and no derivative is taken. Raises ValueError or TypeError on wrong
    shapes, dtypes or times.
    """
    check_latents("z", z, half_allowed=False)
    check_same_shape("target", target, "z", z)
    check_times(t, r, len(z), zero_allowed=objective.predict == "u")

    # A v head speaks of r = t, which a secant says nothing about.
    u = to_velocity(predict_main(net, z, t, r, condition).to(z.dtype), z, t, objective.predict)
    zero = torch.zeros_like(z)
    finite = torch.isfinite(target).flatten(1).all(1) & torch.isfinite(z).flatten(1).all(1)
    return Terms(z, target, zero, u, zero, u, None, t, r, finite)
