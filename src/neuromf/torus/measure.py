"""What is measured of an arm's samples: their distance to the data's manifold, their angles, how
far their distribution is from the data's, and whether one step is two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from scipy import stats
from torch import Tensor, nn

from neuromf.flow import composition_residual
from neuromf.metrics.energy import energy_coefficient
from neuromf.torus.arm import Arm
from neuromf.torus.manifold import Manifold, Nearest, uniform_angles

COMPARED = 512  # samples whose distribution is compared with that of as many data
SHOWN = 4  # volumes


@torch.no_grad()
def measure(
    arm: Arm, manifold: Manifold, network: nn.Module, seed: int
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return figures and arrays of samples drawn at each of the arm's numbers of calls from the
    same noise. Where samples diverged, `diverged_N` says how many, and the figures that they have
    no finite value of are left out.
    """
    noise = evaluation_noise(arm, manifold, seed)
    points = {calls: draw_samples(arm, network, noise, calls) for calls in arm.calls}
    near = {calls: nearest(manifold, x) for calls, x in points.items()}
    metrics: dict[str, Any] = {
        f"distance_{calls}": found.distance.mean().item() for calls, found in near.items()
    }
    # one outlier in a thousand samples dominates a mean and leaves the median unchanged
    metrics |= {
        f"distance_{calls}_median": found.distance.median().item() for calls, found in near.items()
    }
    metrics |= {
        f"diverged_{calls}": int(found.distance.isinf().sum()) for calls, found in near.items()
    }
    before = manifold.nearest(noise).angles
    for k in (0, 1):  # the exact map keeps angles: the noise's p values are what it would get
        metrics[f"ks_p_angle_{k + 1}"] = _uniformity(near[1].angles[:, k])
        metrics[f"ks_p_noise_{k + 1}"] = _uniformity(before[:, k])

    few = noise[:256]
    t, s, r = (torch.full((len(few),), value) for value in (1.0, 0.5, 0.0))
    residual = composition_residual(arm.velocity(network), few, t, s, r)
    metrics |= {"composition_residual": residual.mean().item(), "samples": len(noise)}
    metrics |= _distributions(manifold, points, near, seed)
    known = {name: value for name, value in metrics.items() if math.isfinite(value)}
    return known, _arrays(manifold, points, near)


def evaluation_noise(arm: Arm, manifold: Manifold, seed: int) -> Tensor:
    """Return the noise (samples, *shape) that every measurement of a seed begins with."""
    return torch.randn(
        arm.samples, *manifold.shape, generator=torch.Generator().manual_seed(10_000 + seed)
    )


def draw_samples(arm: Arm, network: nn.Module, noise: Tensor, calls: int) -> Tensor:
    """Return samples (N, *shape) of noise of that shape after a number of network calls."""
    return torch.cat(
        [
            arm.objective.sample(network, part, calls, solver=arm.solver)
            for part in noise.split(arm.batch)
        ]
    )


def nearest(manifold: Manifold, points: Tensor) -> Nearest:
    """Return the nearest points of the manifold to samples (N, *shape). One that diverged, whose
    values are not all finite, is infinitely far and has no angles (NaN).
    """
    finite = points.flatten(1).isfinite().all(1)
    angles, distance = torch.full((len(points), 2), math.nan), torch.full((len(points),), math.inf)
    if finite.any():
        angles[finite], distance[finite] = manifold.nearest(points[finite])
    return Nearest(angles, distance)


def _uniformity(angles: Tensor) -> float:
    """Return the Kolmogorov-Smirnov p-value of angles (N,) against the uniform distribution
    on (-π, π]; NaN where some are missing.
    """
    if angles.isnan().any():
        return math.nan
    return float(stats.kstest(angles.numpy(), stats.uniform(-math.pi, 2 * math.pi).cdf).pvalue)


def _distributions(
    manifold: Manifold, points: Mapping[int, Tensor], near: Mapping[int, Nearest], seed: int
) -> dict[str, float]:
    """Return energy coefficients of angles and of points to those of fresh data, and the same of
    as many other data: what a perfect sampler would get.

    Angles show modes that are missing, points also what is blurred. Both are infinite where one
    of the samples diverged.
    """
    n = min(COMPARED, len(points[1]))
    angles = uniform_angles(2 * n, torch.Generator().manual_seed(20_000 + seed))
    data = manifold.embed(angles).flatten(1)
    sets = {
        "data": (angles[n:], data[n:]),
        **{str(c): (near[c].angles[:n], x[:n].flatten(1)) for c, x in points.items()},
    }

    figures: dict[str, float] = {}
    for name, (there, x) in sets.items():
        if not (there.isfinite().all() and x.isfinite().all()):
            figures |= {f"energy_angles_{name}": math.inf, f"energy_points_{name}": math.inf}
            continue
        figures[f"energy_angles_{name}"] = energy_coefficient(_circles(there), _circles(angles[:n]))
        figures[f"energy_points_{name}"] = energy_coefficient(x, data[:n])
    return figures


def _circles(angles: Tensor) -> Tensor:
    """Return angles (N, 2) as points on two circles (N, 4), where 2π is 0."""
    return torch.cat([angles.cos(), angles.sin()], 1)


def _arrays(
    manifold: Manifold, points: Mapping[int, Tensor], near: Mapping[int, Nearest]
) -> dict[str, Tensor]:
    """Return what figures are drawn from."""
    arrays = {}
    for calls, x in points.items():
        coordinates = manifold.coordinates(x)
        if coordinates is None:
            arrays[f"angles_{calls}"] = near[calls].angles
        else:
            arrays[f"coordinates_{calls}"] = coordinates

    few = points[1][:SHOWN]
    if manifold.slices(few) is not None:
        arrays |= {"volumes": few.clone(), "nearest": manifold.embed(near[1].angles[:SHOWN])}
    return {name: value.contiguous() for name, value in arrays.items()}
