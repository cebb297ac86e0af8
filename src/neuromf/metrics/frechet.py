"""Fréchet distance of two Gaussians fitted to features, the distance behind FID (Heusel 2017,
arXiv 1706.08500).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from neuromf.metrics.points import check_finite, check_points


@dataclass(frozen=True)
class Gaussian:
    """Mean (D,), and covariance either as a factor (K, D) with covariance = factor.T @ factor, or
    whole (D, D); float64.
    """

    mean: Tensor
    count: int  # points it was fitted to
    factor: Tensor | None = None
    whole: Tensor | None = None

    @property
    def covariance(self) -> Tensor:
        """Covariance (D, D)."""
        if self.whole is not None:
            return self.whole
        assert self.factor is not None
        return self.factor.T @ self.factor

    @property
    def trace(self) -> float:
        """Trace of the covariance."""
        return float(
            self.factor.square().sum()
            if self.factor is not None
            else self.covariance.diagonal().sum()
        )


def fit_gaussian(parts: Iterable[Tensor]) -> Gaussian:
    """Return the Gaussian of points that come in parts (n, D), with the unbiased covariance.

    Fewer points than dimensions are kept as the factor; more are summed as they come, so that
    memory does not grow. Raises ValueError for fewer than two points, and for parts that are not
    points of one dimension.
    """
    kept: list[Tensor] = []
    count, total, squares, shift = 0, torch.zeros(()), torch.zeros(()), torch.zeros(())
    for part in parts:
        check_points("a Gaussian", part)
        check_finite("a Gaussian", part)
        x = part.double()
        if count and x.shape[1] != len(shift):
            raise ValueError(
                f"a part of {x.shape[1]} dimensions came after one of "
                f"{len(shift)}: are they of one network?"
            )

        if not count:
            shift = x.mean(0)  # near the mean, so that squares do not cancel
        x = x - shift
        if count + len(x) <= x.shape[1] and (kept or not count):
            kept.append(x)
            count += len(x)
            continue

        if kept:
            stacked = torch.cat(kept)
            total, squares, kept = stacked.sum(0), stacked.T @ stacked, []

        total, squares, count = total + x.sum(0), squares + x.T @ x, count + len(x)

    if count < 2:
        raise ValueError(f"a covariance needs two points or more: {count} came")
    if kept:
        points = torch.cat(kept)
        mean = points.mean(0)
        return Gaussian(shift + mean, count, factor=(points - mean) / (count - 1) ** 0.5)

    mean = total / count
    return Gaussian(
        shift + mean, count, whole=(squares - count * torch.outer(mean, mean)) / (count - 1)
    )


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """Return the squared distance of the means + tr(A + B - 2 (A B)^½): 0 for equal Gaussians.

    tr (A B)^½ is the sum of the square roots of the eigenvalues of F A Fᵀ, where B = Fᵀ F. This
    matrix is symmetric and no larger than the number of points behind B, and replaces the square
    root of a general matrix. Raises ValueError for Gaussians of different dimensions.
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(
            f"Gaussians of {len(a.mean)} and {len(b.mean)} dimensions "
            "came: are the features of one network?"
        )

    if a.factor is not None and (b.factor is None or len(a.factor) < len(b.factor)):
        a, b = b, a
    factor = b.factor if b.factor is not None else _factor(b.covariance)
    if a.factor is not None:
        roots = torch.linalg.svdvals(factor @ a.factor.T)
    else:
        roots = torch.linalg.eigvalsh(factor @ a.covariance @ factor.T).clamp(min=0).sqrt()

    gap = (a.mean - b.mean).square().sum()
    return max(float(gap) + a.trace + b.trace - 2 * float(roots.sum()), 0.0)


def frechet_of_covariances(
    means: Tensor, covariances: Tensor, mean: Tensor, covariance: Tensor
) -> Tensor:
    """Return (B,): the distances of B Gaussians, means (B, D) and covariances (B, D, D), to one
    or to B others.

    Raises ValueError if the shapes do not match.
    """
    d = means.shape[-1]
    shapes = [tuple(t.shape) for t in (means, covariances, mean, covariance)]
    if [s[-1:] for s in shapes] != [(d,)] * 4 or [s[-2:] for s in shapes[1::2]] != [(d, d)] * 2:
        raise ValueError(
            f"means (B, D) and covariances (B, D, D) are needed: {', '.join(map(str, shapes))} came"
        )

    values, vectors = torch.linalg.eigh(covariance)
    root = vectors * values.clamp(min=0).sqrt().unsqueeze(-2) @ vectors.mT
    roots = torch.linalg.eigvalsh(root @ covariances @ root).clamp(min=0).sqrt().sum(-1)
    traces = covariances.diagonal(dim1=-2, dim2=-1).sum(-1) + covariance.diagonal(
        dim1=-2, dim2=-1
    ).sum(-1)
    return ((means - mean).square().sum(-1) + traces - 2 * roots).clamp(min=0)


def _factor(covariance: Tensor) -> Tensor:
    """Return F (D, D) with covariance = Fᵀ F: Cholesky's if it is definite, from
    eigenvalues if it is not.
    """
    lower, failed = torch.linalg.cholesky_ex(covariance)
    if not failed:
        return lower.T
    values, vectors = torch.linalg.eigh(covariance)
    return values.clamp(min=0).sqrt()[:, None] * vectors.T
