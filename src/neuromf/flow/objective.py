"""The average-velocity objective: what a network should predict, and how far it is from that.

MeanFlow identity (arXiv 2505.13447, eq. 6): v = u + (t - r) du/dt with du/dt = (∂_z u) v + ∂_t
u at fixed r. The compound V = u + (t - r) sg(du/dt) is regressed on v_c = noise - x (improved
MeanFlow, arXiv 2512.02012, eq. 9).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from neuromf.flow.checks import check_latents, check_same_kind, check_same_shape, check_times
from neuromf.flow.jvp import WAYS
from neuromf.flow.network import (
    Condition,
    Network,
    call,
    predict_head,
    predict_main,
    required_head,
    scatter,
    select,
    select_condition,
    split_output,
)
from neuromf.flow.path import Prediction, path_velocity, per_sample, point_on_path, to_velocity
from neuromf.flow.reductions import batch_mean, per_channel, spatial_mean, without_nonfinite
from neuromf.flow.sampler import Solver, sample
from neuromf.flow.terms import Loss, Terms


@dataclass(frozen=True)
class MeanFlow:
    """Average-velocity objective on z_t = (1 - t) x + t noise; t = 0 is data, t = 1 is
    noise, r <= t.

    `equal_fraction=1` in the TimeSampler, or jvp="none", makes it flow matching (rectified flow).
    """

    predict: Prediction = "x"  # the network returns x̂ (u = (z - x̂) / t), or u
    # u(z, t, t), the v head at r = t, or v_c
    tangent: Literal["boundary", "head", "conditional"] = "boundary"
    # how du/dt is computed; see flow.jvp
    jvp: Literal["exact", "two-stream", "finite", "none"] = "exact"
    p: float = 2.0  # exponent of the error
    channel_p: tuple[float, ...] | None = None  # one exponent per channel, in place of p
    channel_weights: tuple[float, ...] | None = None  # λ_c; None is all 1
    # adaptive weight 1 / (sg(L) + weight_eps)^weight_power; 0 switches it off
    weight_power: float = 1.0
    weight_eps: float = 0.01
    head_weight: float = 1.0  # of the v head's own loss, where the network has one
    # of the flow-matching loss of u(z, t, t), at every sample's z and t; costs another evaluation
    flow_weight: float = 0.0

    def __post_init__(self) -> None:
        for name, value, accepted in (
            ("predict", self.predict, ("x", "u")),
            ("tangent", self.tangent, ("boundary", "head", "conditional")),
            ("jvp", self.jvp, (*WAYS, "none")),
        ):
            if value not in accepted:
                raise ValueError(f"{name} is {value!r}: one of {', '.join(map(repr, accepted))}")

        for name, number in (("p", self.p), *(("channel_p", p) for p in self.channel_p or ())):
            if not 1 <= number < math.inf:
                raise ValueError(
                    f"{name} is {number}: a finite number, 1 or "
                    "more; below 1 the gradient is infinite at 0"
                )

        for name, number in (
            ("weight_power", self.weight_power),
            ("head_weight", self.head_weight),
            ("flow_weight", self.flow_weight),
            *(("channel_weights", weight) for weight in self.channel_weights or ()),
        ):
            if not 0 <= number < math.inf:
                raise ValueError(f"{name} is {number}: 0 or more, and finite")

        if self.flow_weight and self.jvp == "none":
            raise ValueError(
                f"flow_weight is {self.flow_weight} with jvp='none', which is flow matching "
                "already: flow_weight=0"
            )

        if not 0 < self.weight_eps < math.inf:
            raise ValueError(
                f"weight_eps is {self.weight_eps}: it keeps the "
                "adaptive weight finite and must be above 0"
            )

    def velocity(
        self, net: Network, z: Tensor, t: Tensor, r: Tensor, condition: Condition | None = None
    ) -> Tensor:
        """Return the average velocity u(z, t, r), shape of z (B, C, *spatial), for times t, r
        (B,), r <= t.

        Raises ValueError or TypeError where shapes, dtypes or times are wrong.
        """
        check_latents("z", z)
        check_times(t, r, len(z), zero_allowed=self.predict == "u")
        t, r = t.to(z), r.to(z)
        return self._velocity(net, z, t, r, condition)

    @property
    def solver(self) -> Solver:
        """How a network that this objective trained is sampled: without a derivative it
        knows r = t alone.
        """
        return "euler" if self.jvp == "none" else "average"

    def sample(self, net: Network, noise: Tensor, steps: int = 1, **options: Any) -> Tensor:
        """Return `flow.sample` of a network that this objective trained, by its `solver`."""
        return sample(
            net, noise, steps, **({"predict": self.predict, "solver": self.solver} | options)
        )

    def terms(
        self,
        net: Network,
        x: Tensor,
        noise: Tensor,
        t: Tensor,
        r: Tensor,
        condition: Condition | None = None,
        target: Tensor | None = None,
        tangent: Tensor | None = None,
    ) -> Terms:
        """Evaluate the objective for data x and noise (B, C, *spatial) at times t, r (B,),
        0 <= r <= t <= 1, and per-sample conditions (B, ...) that the network takes.

        `target` is the velocity, shape of x, that the compound is to match in place of
        noise - x, `tangent` dz/dt in place of the objective's own. du/dt is computed for the
        samples with r < t only, detached, so the gradient is that of u + (t - r) sg(du/dt).
        Samples with NaN or Inf are zeroed and flagged. Raises ValueError or TypeError on wrong
        shapes, dtypes or times, a batch without one finite sample, or a head that is lacking.
        """
        check_latents("x", x, half_allowed=False)
        check_latents("noise", noise, half_allowed=False)
        check_same_kind("noise", noise, "x", x)
        check_times(t, r, len(x), zero_allowed=self.predict == "u")
        x, noise, finite = without_nonfinite(x, noise)
        apart = torch.nonzero(r < t).flatten().to(x.device)  # the samples with r < t
        t, r = t.to(x), r.to(x)  # TimeSampler draws on the CPU
        z, v_c = point_on_path(x, noise, t), path_velocity(x, noise)
        if target is None:
            target = v_c
        check_same_kind("target", target, "x", x)
        if tangent is not None:
            check_same_kind("tangent", tangent, "x", x)

        boundary = z[:0] if self.flow_weight else None  # of the samples apart
        if self.jvp == "none" or len(apart) == 0:
            prediction, head = split_output(call(net, z, t, r, condition))
            direction = jvp = z[:0]
            apart = apart[:0]
        else:
            own = select_condition(apart, condition)
            z_own, t_own, target_own = select(apart, z, t, target)
            if self.flow_weight:
                boundary = self._velocity(net, z_own, t_own, t_own, own)
            if tangent is None:
                direction = self._direction(net, z_own, t_own, target_own, own, boundary)
            else:
                direction = tangent.index_select(0, apart)
            prediction, head, jvp = WAYS[self.jvp](net, z, t, r, apart, direction, condition)

        u = self._as_velocity("the network's output", prediction, z, t)
        v = None if head is None else self._as_velocity("the v head's output", head, z, t)
        slope, rise = self._slope(u.detach(), jvp.to(z.dtype), direction, t, r, apart)
        rest = self._boundary_direction(u, v, target) if tangent is None else tangent
        return Terms(
            z=z, target=target, u=u, head=v, t=t, r=r, finite=finite,
            tangent=scatter(apart, direction, rest),
            dudt=scatter(apart, slope, torch.zeros_like(z)),
            compound=u + scatter(apart, rise, torch.zeros_like(z)),
            boundary=None if boundary is None else scatter(apart, boundary, u),
        )  # fmt: skip

    def loss(self, terms: Terms, mask: Tensor | None = None) -> Loss:
        """Return the loss: Σ_c λ_c mean|V_c - v_c|^p_c per sample (mean over voxels),
        adaptively weighted, mean over samples.

        `mask` (B or 1, C or 1, *spatial), >= 0, weighs the voxels. Samples that are not finite
        get weight 0 and are counted.
        """
        error = terms.compound - terms.target
        channels, samples, finite, weight = self._weighed(error, terms.finite, mask)
        total = batch_mean(weight * samples, finite)

        raw_head = None
        if terms.head is not None:
            part, raw_head = self._regressed(terms.head, terms, mask)
            total = total + self.head_weight * part
        if terms.boundary is not None:
            part, _ = self._regressed(terms.boundary, terms, mask)
            total = total + self.flow_weight * part

        samples, equal = samples.detach(), terms.r == terms.t
        return Loss(
            total=total,
            raw=batch_mean(samples, finite, empty=torch.nan),
            raw_head=raw_head,
            raw_equal=batch_mean(samples, finite & equal, empty=torch.nan),
            raw_interval=batch_mean(samples, finite & ~equal, empty=torch.nan),
            channels=channels.detach().sum(0) / finite.sum(),
            samples=samples,
            weight=weight,
            nonfinite=(~finite).sum(),
        )

    @torch.no_grad()
    def _direction(
        self,
        net: Network,
        z: Tensor,
        t: Tensor,
        target: Tensor,
        condition: Condition | None,
        boundary: Tensor | None,
    ) -> Tensor:
        """Return dz/dt for the jvp, shape of z, for samples at times t (B,), whose u(z, t, t) is
        `boundary` where it was computed already.
        """
        if self.tangent == "conditional":
            return target
        if self.tangent == "head":
            return self._as_velocity(
                "the v head's output", predict_head(net, z, t, t, condition), z, t
            )
        return self._velocity(net, z, t, t, condition) if boundary is None else boundary.detach()

    def _velocity(
        self, net: Network, z: Tensor, t: Tensor, r: Tensor, condition: Condition | None
    ) -> Tensor:
        prediction = predict_main(net, z, t, r, condition)
        return self._as_velocity("the network's output", prediction, z, t)

    def _boundary_direction(self, u: Tensor, head: Tensor | None, target: Tensor) -> Tensor:
        """Return dz/dt for samples with r = t, where it is already known."""
        if self.tangent == "conditional":
            return target
        return (u if self.tangent == "boundary" else required_head(head)).detach()

    def _as_velocity(self, name: str, prediction: Tensor, z: Tensor, t: Tensor) -> Tensor:
        check_same_shape(name, prediction, "z", z)
        return to_velocity(prediction.to(z.dtype), z, t, self.predict)

    def _slope(
        self, u: Tensor, jvp: Tensor, direction: Tensor, t: Tensor, r: Tensor, apart: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return du/dt and (t - r) du/dt of the samples `apart`, from the derivative of the
        prediction.

        For x̂ = z - t u the product rule gives t du/dt = v - u - dx̂/dt, and (t - r) / t <= 1 keeps
        the rise from growing as 1/t.
        """
        u, t, r = select(apart, u, t, r)
        t, h = per_sample(t, like=u), per_sample(t - r, like=u)
        if self.predict == "u":
            return jvp, h * jvp
        change = direction - u - jvp
        return change / t, (h / t) * change

    def _regressed(
        self, velocity: Tensor, terms: Terms, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the loss () of a velocity against the target, adaptively weighted by itself, and
        the same without weights, detached.
        """
        error = velocity - terms.target
        _, samples, finite, weight = self._weighed(error, terms.finite, mask)
        return batch_mean(weight * samples, finite), batch_mean(samples.detach(), finite)

    def _weighed(
        self, error: Tensor, finite: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return channel errors (B, C), their weighted sum (B,), finite rows
        (B,), adaptive weights (B,).
        """
        finite = finite & torch.isfinite(error.detach()).flatten(1).all(1)
        error = torch.where(per_sample(finite, like=error), error, 0.0)
        p = per_channel("channel_p", self.channel_p, self.p, error)
        squares = all(q == 2 for q in self.channel_p or (self.p,))
        powered = (
            error.square() if squares else error.abs() ** p.reshape(1, -1, *[1] * (error.ndim - 2))
        )
        channels = spatial_mean(powered, mask)
        # A sum, not a matrix product: autocast would compute that in bfloat16.
        weights = per_channel("channel_weights", self.channel_weights, 1.0, error)
        samples = (channels * weights).sum(1)
        weight = finite / (samples.detach() + self.weight_eps) ** self.weight_power

        return channels, samples, finite, weight
