"""A linear predictor of what is known of a person, from latents: ridge regression on their
principal components.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

COMPONENTS = 50
PENALTIES = tuple(10.0**k for k in range(-3, 5))


@dataclass(frozen=True)
class Predictor:
    """y = intercept + weights · scores; scores are of unit variance over the data it was fitted
    to.
    """

    mean: Tensor  # (P,), of the latents
    components: Tensor  # (K, P): scores = components (x - mean)
    weights: Tensor  # (K, outputs)
    intercept: Tensor  # (outputs,)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the prediction (N, outputs) for latents (N, ...)."""
        scores = (x.flatten(1).double() - self.mean) @ self.components.T
        return self.intercept + scores @ self.weights


def fit_predictor(x: Tensor, y: Tensor) -> Predictor:
    """Return the predictor of y (N, outputs) from latents x (N, ...), with as many components as
    N / 4, 50 at most. The penalty is the one with the smallest leave-one-out error (Allen's PRESS).

    Raises ValueError where there are fewer than 8 latents, or shapes do not fit.
    """
    n = len(x)
    if n < 8 or y.ndim != 2 or len(y) != n:
        raise ValueError(f"latents {tuple(x.shape)}, values {tuple(y.shape)}: 8 or more of both")
    flat, y = x.flatten(1).double(), y.double()
    mean = flat.mean(0)
    scores, components = principal(flat - mean, min(COMPONENTS, n // 4))

    intercept = y.mean(0)
    fits = [ridge(scores, y - intercept, penalty) for penalty in PENALTIES]
    weights, _ = min(fits, key=lambda fit: fit[1])
    return Predictor(mean, components, weights, intercept)


def principal(centred: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the scores (N, K) of centred data (N, P) on its first components, of unit variance,
    and the rows (K, P) that give them; by the (N, N) matrix of products, as P is large.
    """
    values, vectors = torch.linalg.eigh(centred @ centred.T)
    values, vectors = values.flip(0)[:count], vectors.flip(1)[:, :count]
    scale = (values / (len(centred) - 1)).sqrt()
    rows = (vectors / values.sqrt()).T @ centred / scale.unsqueeze(1)
    return centred @ rows.T, rows


def ridge(scores: Tensor, y: Tensor, penalty: float) -> tuple[Tensor, float]:
    """Return the weights of ridge regression, and the mean squared leave-one-out error."""
    gram = scores.T @ scores + penalty * torch.eye(scores.shape[1], dtype=scores.dtype)
    weights = torch.linalg.solve(gram, scores.T @ y)
    leverage = (scores * torch.linalg.solve(gram, scores.T).T).sum(1) + 1 / len(scores)
    residual = (y - scores @ weights) / (1 - leverage).clamp(min=1e-6).unsqueeze(1)
    return weights, float(residual.square().mean())
