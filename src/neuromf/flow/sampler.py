"""From noise to data in one call of the network, or in a few."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from neuromf.flow.checks import check_latents, check_same_shape, check_times
from neuromf.flow.network import Condition, Network, predict_main
from neuromf.flow.path import Prediction, step
from neuromf.flow.rflow import rflow_steps

Velocity = Callable[[Tensor, Tensor, Tensor], Tensor]  # u(z, t, r)
SOLVERS = ("average", "euler", "exponential", "rflow")
Solver = Literal["average", "euler", "exponential", "rflow"]


@torch.no_grad()
def sample(
    network: Network,
    noise: Tensor,
    steps: int = 1,
    *,
    predict: Prediction = "u",
    solver: Solver = "average",
    times: Tensor | None = None,
    condition: Condition | None = None,
) -> Tensor:
    """Return data (B, C, *spatial) for noise of that shape, in `steps` calls of the
    network from t = 1 to r = 0.

    `network(z, t, r)` returns the average velocity (predict="u": a trained u, or
    `objective.velocity` with its network bound) or the data estimate (predict="x"); of a pair the
    first is taken. One step of x̂ is the network's own output at (noise, 1, 0). `solver="euler"`
    asks for the instantaneous velocity, at r = t, as rectified flow needs; "exponential" does so
    too, of a network with a part in closed form, and follows that part exactly; "rflow" is "euler"
    with the steps of MONAI's RFlowScheduler. `times` (steps + 1,), falling from 1 to 0, replaces
    the even spacing. `condition` holds tensors
    (B, ...) that the network takes. Raises ValueError or TypeError on bad arguments.
    """
    check_latents("noise", noise)
    if predict not in ("x", "u"):
        raise ValueError(f"predict is {predict!r}: 'x' or 'u'")
    if solver not in SOLVERS:
        raise ValueError(f"solver is {solver!r}: one of {', '.join(map(repr, SOLVERS))}")
    grid = _time_grid(steps, times)
    if solver == "rflow":
        if times is not None:
            raise ValueError("solver='rflow' has times of its own: leave out times")
        pairs = rflow_steps(steps, math.prod(noise.shape[2:]))
    else:
        pairs = list(pairwise(grid.tolist()))
    z = noise

    for t, r in pairs:
        start, end = (z.new_full((len(z),), time) for time in (t, r))
        z = advance(network, z, start, end, predict, solver, condition)

    return z


def advance(
    network: Network,
    z: Tensor,
    t: Tensor,
    r: Tensor,
    predict: Prediction = "u",
    solver: Solver = "average",
    condition: Condition | None = None,
) -> Tensor:
    """Return the state at r of states z (B, C, *spatial) at t, times (B,), r <= t, by one call of
    the network; the other arguments are those of `sample`.
    """
    if solver == "exponential":
        network = exponential(network)
    asked = t if solver in ("euler", "rflow") else r
    prediction = predict_main(network, z, t, asked, condition)
    check_same_shape("the network's output", prediction, "the noise", z)
    return step(z, prediction.to(z.dtype), t, r, predict)


def exponential(network: Network) -> Network:
    """Return the step of an exponential integrator (Hochbruck and Ostermann, Acta Numerica 2010)
    of a network with a part in closed form. Raises TypeError where it has none.
    """
    if not hasattr(type(network), "exponential"):
        raise TypeError(
            f"solver='exponential' needs a network with a part in closed form, as "
            f"nets.precondition makes it; {type(network).__name__} is none: take 'euler'"
        )
    step: Network = network.exponential  # type: ignore[attr-defined]
    return step


def composition_residual(velocity: Velocity, z: Tensor, t: Tensor, s: Tensor, r: Tensor) -> Tensor:
    """Return (B,): RMS gap between the step t -> r and the steps t -> s -> r, over the
    RMS of the former; r <= s <= t.

    An average velocity satisfies (t - r) u(z, t, r) = (t - s) u(z, t, s) + (s - r)
    u(z_s, s, r); the residual needs no data and no feature network, so it serves as a
    health figure of a trained model.
    """
    check_times(t, s, len(z), zero_allowed=True)
    check_times(s, r, len(z), zero_allowed=True)
    whole = step(z, velocity(z, t, r), t, r, "u") - z
    middle = step(z, velocity(z, t, s), t, s, "u")
    halves = step(middle, velocity(middle, s, r), s, r, "u") - z
    return (whole - halves).flatten(1).norm(dim=1) / whole.flatten(1).norm(dim=1)


def _time_grid(steps: int, times: Tensor | None) -> Tensor:
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(
            f"steps is {steps!r}: a whole number of network calls, 1 or more, is needed"
        )
    if times is None:
        return torch.linspace(1, 0, steps + 1, dtype=torch.float64)
    grid = torch.as_tensor(times, dtype=torch.float64)
    if grid.shape != (steps + 1,) or grid[0] != 1 or grid[-1] != 0 or not (grid.diff() < 0).all():
        raise ValueError(
            f"times is {grid.tolist()}: {steps} steps need {steps + 1} times that fall from 1 to 0"
        )

    return grid
