"""What an evaluation of the objective consists of, and what its loss does."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Terms(NamedTuple):
    """One evaluation of the objective; tensors are (B, C, *spatial) unless said."""

    z: Tensor  # point on the path
    target: Tensor  # noise - x
    tangent: Tensor  # dz/dt along which u was differentiated; detached
    u: Tensor  # average velocity; carries the gradient
    dudt: Tensor  # du/dt at fixed r; detached; 0 for samples with r = t, where nothing needs it
    compound: Tensor  # u + (t - r) dudt; should match target
    head: Tensor | None  # velocity of the v head; carries the gradient
    t: Tensor  # (B,)
    r: Tensor  # (B,)
    finite: Tensor  # (B,) bool; the others, with NaN or Inf in x or noise, were set to 0
    # u(z, t, t) where it is regressed as well (flow_weight); carries the gradient
    boundary: Tensor | None = None


class Loss(NamedTuple):
    """What is minimised, and what it is made of. All but `total` are detached; a mean over
    no sample is NaN.

    Rows left out because of their data or their derivative leave no trace in the gradient. A row
    that overflows inside the network does (0 times infinity): skip the optimiser step where the
    gradient's norm is not finite.
    """

    # scalar: mean over finite samples of weight * raw, plus the parts of head and boundary
    total: Tensor
    raw: Tensor  # scalar: mean over finite samples of Σ_c λ_c mean|e_c|^p_c
    raw_head: Tensor | None  # scalar: the same of the head
    raw_equal: Tensor  # scalar: raw of the samples with r = t
    raw_interval: Tensor  # scalar: raw of the samples with r < t
    channels: Tensor  # (C,): mean|e_c|^p_c over finite samples, without λ
    samples: Tensor  # (B,): raw of each sample; 0 where not finite
    weight: Tensor  # (B,): adaptive weight of each sample; 0 where not finite
    nonfinite: Tensor  # scalar: number of samples left out
