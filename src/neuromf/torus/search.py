"""The nearest point of a surface of two angles: a grid search that finds the valleys of the
distance, then Newton's method in the lowest of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

STARTS = 3  # valleys on the grid, the lowest, for each point
STEPS = 20  # of Newton's method at most; four are usual
CLOSE = 1e-6  # radians: after a shorter step of Newton's method the error is about its square
AT_ONCE = 256  # points

# squared distances (N, S) of points (N, *shape) to the surface at angles (N, S, 2), float64 and
# differentiable twice
SquaredDistance = Callable[[Tensor, Tensor], Tensor]


def even_angles(side: int) -> Tensor:
    """Return side x side evenly spaced pairs of angles (side², 2), float64, in rows of θ₁."""
    once = 2 * math.pi * torch.arange(side, dtype=torch.float64) / side
    return torch.cartesian_prod(once, once)


def nearest_angles(distance: SquaredDistance, grid: Tensor, points: Tensor) -> Tensor:
    """Return the angles (N, 2) in (-π, π], float64, at which a surface is nearest to `points`
    (N, *shape).

    `grid` (side², *shape) holds the surface at `even_angles(side)`, which must be closer to each
    other than the valleys of the distance are wide.
    """
    side = math.isqrt(len(grid))
    found = []
    for part in points.split(AT_ONCE):
        starts = valleys(grid, part)
        angles, squared = descend(distance, part.double(), starts, 2 * math.pi / side)
        best = squared.argmin(1)
        found.append(angles[torch.arange(len(part)), best])

    angles = torch.cat(found)
    return torch.atan2(angles.sin(), angles.cos())


def valleys(grid: Tensor, points: Tensor) -> Tensor:
    """Return the angles (N, STARTS, 2) of the grid points nearest to `points` (N, *shape) among
    those that are nearer than their eight neighbours; the nearest again where there are fewer.
    """
    side, flat = math.isqrt(len(grid)), grid.flatten(1)
    squared = flat.square().sum(1) - 2 * points.flatten(1).to(flat) @ flat.T  # but for a constant
    image = squared.unflatten(1, (1, side, side))
    around = -F.max_pool2d(F.pad(-image, (1, 1, 1, 1), mode="circular"), 3, stride=1)

    lowest = torch.where(image <= around, image, torch.inf).flatten(1)
    depths, places = lowest.topk(STARTS, dim=1, largest=False)
    places = torch.where(depths.isinf(), places[:, :1], places)
    return even_angles(side)[places]


def descend(
    distance: SquaredDistance, points: Tensor, starts: Tensor, reach: float
) -> tuple[Tensor, Tensor]:
    """Return minima of the squared distance of `points` (N, *shape): their angles (N, S, 2) and
    values (N, S), found from `starts` (N, S, 2) by steps of `reach` radians at most.

    Newton's method with the absolute values of the Hessian's eigenvalues, which leads downhill
    from anywhere. A step that leads uphill is not made, and the next one is a quarter of it.
    """
    angles, value = starts.clone(), torch.full(starts.shape[:2], torch.inf, dtype=torch.float64)
    moving = torch.arange(len(points))
    here = starts
    longest = torch.full_like(value, reach)

    for _ in range(STEPS):
        found, gradient, hessian = _expansion(distance, points[moving], here)
        lower = found < value[moving]
        angles[moving] = torch.where(lower[..., None], here, angles[moving])
        value[moving] = torch.where(lower, found, value[moving])

        step = _newton(gradient, hessian, longest[moving])
        length = step.norm(dim=-1)
        # back to the last point and a quarter of the way where it went uphill
        back = (here - angles[moving]) / 4
        here = torch.where(lower[..., None], here + step, angles[moving] + back)
        length = torch.where(lower, length, back.norm(dim=-1))
        longest[moving] = torch.where(lower, longest[moving], length)

        last = lower & (length <= CLOSE)  # not worth another evaluation
        angles[moving] = torch.where(last[..., None], here, angles[moving])
        going = (length > CLOSE).any(1)
        moving, here = moving[going], here[going]
        if len(moving) == 0:
            break

    return angles, value


def _newton(gradient: Tensor, hessian: Tensor, longest: Tensor) -> Tensor:
    """Return steps (N, S, 2) for gradients (N, S, 2) and Hessians (N, S, 2, 2), no longer than
    `longest` (N, S).
    """
    curvature, axes = torch.linalg.eigh(hessian)
    curvature = curvature.abs().clamp(min=1e-300)
    along = (axes.mT @ gradient[..., None]).squeeze(-1) / curvature
    step = -(axes @ along[..., None]).squeeze(-1)
    shorter = (longest / step.norm(dim=-1).clamp(min=1e-300)).clamp(max=1)
    return step * shorter[..., None]


@torch.enable_grad()
def _expansion(
    distance: SquaredDistance, points: Tensor, angles: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return values (N, S), gradients (N, S, 2) and Hessians (N, S, 2, 2)."""
    angles = angles.detach().requires_grad_()
    value = distance(points, angles)
    (gradient,) = torch.autograd.grad(value.sum(), angles, create_graph=True)
    rows = [
        torch.autograd.grad(gradient[..., k].sum(), angles, retain_graph=k == 0)[0] for k in (0, 1)
    ]
    return value.detach(), gradient.detach(), torch.stack(rows, -2)
