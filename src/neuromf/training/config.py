"""What a training is: latents, network, objective, times, optimiser,
and how often to look at it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from neuromf.flow import MeanFlow, Ramp, TimeSampler
from neuromf.flow.guidance import Guidance
from neuromf.flow.sampler import Solver
from neuromf.latents.dataset import LatentAugmentation
from neuromf.nets.config import BRAIN, LoRA, Precondition, UNetConfig
from neuromf.nets.variables import KINDS
from neuromf.runtime.device import Precision
from neuromf.runtime.fields import NAMED, key
from neuromf.training.distillation import Distillation
from neuromf.training.optimiser import Optimiser


@dataclass(frozen=True)
class Checkpoints:
    """When the state of a run is saved; a killed run loses no more than `every` updates."""

    every: int = 1000  # updates
    keep: int = 1  # older ones kept beside last.ckpt and best.ckpt; 0 keeps none

    def __post_init__(self) -> None:
        if self.every < 1 or self.keep < 0:
            raise ValueError(f"every is {self.every}, keep {self.keep}: 1 or more, 0 or more")


@dataclass(frozen=True)
class Samples:
    """Preview samples during a training, from noise that is the same every time."""

    every: int = 5000  # updates; 0 is never, but for the end
    n: int = 4
    nfe: tuple[int, ...] = key((1, 2, 5, 10), formerly="calls")  # network calls

    def __post_init__(self) -> None:
        if self.every < 0 or self.n < 1:
            raise ValueError(f"every is {self.every}, n {self.n}: 0 or more, 1 or more")
        if not self.nfe or min(self.nfe) < 1:
            raise ValueError(f"nfe is {self.nfe}: numbers of network calls, each 1 or more")


@dataclass(frozen=True)
class Diagnostics:
    """Measurements of the objective on a fixed batch, during a training."""

    every: int = 200  # updates; 0 is never
    batch: int = 8  # latents

    def __post_init__(self) -> None:
        if self.every < 0 or self.batch < 1:
            raise ValueError(f"every is {self.every}, batch {self.batch}: 0 or more, 1 or more")


@dataclass(frozen=True)
class Evaluation:
    """Evaluations on held-out latents: losses of the averaged weights, distance and power of
    one-call samples. The first one comes after an epoch.
    """

    every: int = 2000  # updates; 0 is never
    n: int = 64  # samples
    projections: int = 512  # of the sliced Wasserstein distance
    patience: int = 0  # rows without a better value after which training stops; 0 is never
    fid_every: int = 0  # updates between rows with 2.5D FID of decoded samples; 0 is never
    extractor: str = "radimagenet"  # of that FID
    # decides on best.ckpt and patience: v-loss relative to a linear filter's, raw loss, 2.5D FID,
    # error to the teacher, or the distance of latents, which is small for white noise around the
    # mean image too
    monitor: Literal["v_linear", "raw", "fid", "teacher", "swd"] = "v_linear"

    def __post_init__(self) -> None:
        if (
            self.every < 0
            or self.fid_every < 0
            or (self.fid_every and (not self.every or self.fid_every % self.every))
        ):
            raise ValueError(
                f"every is {self.every}, fid_every {self.fid_every}: 0 or "
                "more, and fid_every a multiple of every"
            )
        if self.patience < 0 or self.n < 1 or self.projections < 1:
            raise ValueError(
                f"patience is {self.patience}, n {self.n}, projections {self.projections}: 0 or "
                "more, 1 or more, 1 or more"
            )
        if self.monitor == "fid" and not self.fid_every:
            raise ValueError(f"monitor=fid needs fid_every={self.every}, or a multiple of it")


@dataclass(frozen=True)
class Guard:
    """When a run is given up: raw loss above `factor` x its running minimum,
    or updates skipped in a row.
    """

    factor: float = 10.0
    grace: int = 500  # updates before the loss is looked at
    skipped: int = 20  # updates with a gradient that is not finite, one after another

    def __post_init__(self) -> None:
        if not self.factor > 1 or self.grace < 0 or self.skipped < 1:
            raise ValueError(
                f"factor is {self.factor}, grace {self.grace}, skipped "
                f"{self.skipped}: above 1, 0 or more, 1 or more"
            )


@dataclass(frozen=True)
class TrainConfig:
    """A training: rectified flow is times.equal_fraction=1 with objective.jvp=none."""

    latents: str = ""  # a folder or URL that encode wrote
    vae: str = ""  # to look at samples with; the latents' own, if empty
    start: str = ""  # a model folder whose weights to begin with; random, if empty
    # a model folder whose rectified flow is turned into average velocities; the student begins with
    # its weights unless start= names others
    teacher: str = ""
    distillation: Distillation = field(default_factory=Distillation)
    # a model folder that learns the latents' further channels, a lesion mask for example; its
    # weights stay, with lora's adapters, or go on being trained
    adapt: str = ""
    lora: LoRA = field(default_factory=LoRA)
    # what the network is conditioned on, by column: {age: number, sex: category}
    conditions: dict[str, str] = field(default_factory=dict, metadata=NAMED)
    # CSV or TSV with these columns, and name, subject or participant_id; else the latents' own
    table: str = ""
    guidance: Guidance = field(default_factory=Guidance)
    network: UNetConfig = BRAIN
    precondition: Precondition = field(default_factory=Precondition)
    objective: MeanFlow = field(default_factory=lambda: MeanFlow(jvp="two-stream"))
    times: TimeSampler = field(default_factory=TimeSampler)
    equal_fraction: Ramp | None = None  # over the run, in place of times.equal_fraction
    max_interval: Ramp | None = None  # the same of times.max_interval
    # of latents on the path; below 1, large structures form at smaller t
    latent_scale: float = key(1.0, formerly="scale")
    augmentation: LatentAugmentation = field(default_factory=LatentAugmentation)
    masked_share: float = 0.0  # of a sample's voxels, drawn anew each time, left out of its loss
    optimiser: Optimiser = field(default_factory=Optimiser)
    updates: int = 100_000
    batch: int = 8  # latents per device at once
    accumulate: int = 1  # batches per update
    # decays; samples are of the first, the model folder is the best on held-out latents
    ema: tuple[float, ...] = (0.9999,)
    precision: Precision = "bfloat16"  # of the network; weights, losses and averages are float32
    compile: bool = False
    device: str = "auto"  # auto, cpu, mps, cuda
    devices: int = 1  # per node
    nodes: int = 1
    num_workers: int = key(0, formerly="loaders", free=True)  # processes that read latents
    seed: int = 0
    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    samples: Samples = field(default_factory=Samples)
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    evaluation: Evaluation = field(default_factory=Evaluation)
    guard: Guard = field(default_factory=Guard)
    log_every: int = 20  # updates
    wandb: str = key("", free=True)  # a project of Weights & Biases to log to, if it is installed

    # Of earlier versions: where a command runs is no part of what it is.
    __dropped__: ClassVar = ("launch", "slurm")

    def __post_init__(self) -> None:
        positive = {
            name: getattr(self, name)
            for name in ("updates", "batch", "accumulate", "devices", "nodes")
        }
        positive |= {"log_every": self.log_every}
        for name, value in positive.items():
            if value < 1:
                raise ValueError(f"{name} is {value}: 1 or more")

        if not 0 < self.latent_scale <= 10:
            raise ValueError(f"latent_scale is {self.latent_scale}: above 0; 0.1 to 1 is usual")
        if not 0 <= self.masked_share < 1:
            raise ValueError(f"masked_share is {self.masked_share}: 0 or more, below 1")
        if self.seed < 0 or self.num_workers < 0:
            raise ValueError(f"seed is {self.seed}, num_workers {self.num_workers}: 0 or more")
        for name, ramp in (
            ("equal_fraction", self.equal_fraction),
            ("max_interval", self.max_interval),
        ):
            if ramp is not None and not (0 <= ramp.start <= 1 and 0 <= ramp.end <= 1):
                raise ValueError(
                    f"{name} goes from {ramp.start} to {ramp.end}: both must lie in [0, 1]"
                )

        if (
            not self.ema
            or not all(0 <= decay < 1 for decay in self.ema)
            or len(set(self.ema)) < len(self.ema)
        ):
            raise ValueError(
                f"ema is {self.ema}: one decay or several different ones, each in [0, 1)"
            )

        self._check_together()

    def _check_together(self) -> None:
        """Refuse values that are each allowed but do not go together."""
        flow_matching = self.times.equal_fraction == 1 and self.equal_fraction is None
        if flow_matching != (self.objective.jvp == "none"):
            raise ValueError(
                f"times.equal_fraction is {self.times.equal_fraction} with "
                f"objective.jvp={self.objective.jvp}: rectified flow is times.equal_fraction=1 "
                "equal_fraction=null objective.jvp=none, MeanFlow has a share below 1 and a jvp"
            )
        if self.teacher and self.objective.jvp == "none":
            raise ValueError(
                "teacher= is for learning average velocities, objective.jvp=none and "
                "times.equal_fraction=1 train a rectified flow: drop teacher=, or set "
                "objective.jvp=two-stream and times.equal_fraction=0.5"
            )
        on_paths = {
            "masked_share": self.masked_share, "objective.flow_weight": self.objective.flow_weight
        }  # fmt: skip
        for name, value in on_paths.items():
            if value and self.teacher and self.distillation.target == "trajectory":
                raise ValueError(
                    f"{name} goes with samples on paths, not with distillation.target=trajectory"
                )
        if self.precondition.kind != "none" and self.objective.predict != "u":
            raise ValueError(
                f"precondition.kind={self.precondition.kind} makes a velocity of the network's "
                f"output, objective.predict is {self.objective.predict}: set objective.predict=u"
            )
        if self.adapt and self.start:
            raise ValueError("adapt= and start= are both given: adapt= begins with its model")
        strange = {name: kind for name, kind in self.conditions.items() if kind not in KINDS}
        if strange:
            name, kind = next(iter(strange.items()))
            raise ValueError(f"conditions.{name} is {kind!r}: {' or '.join(KINDS)}")
        known = self.conditions or self.adapt or self.teacher  # which may have some of their own
        if (self.guidance != Guidance() or self.table) and not known:
            raise ValueError(
                "guidance or table is set and there are no conditions: conditions.age=number"
            )
        if self.objective.tangent == "head" and not self.network.v_head_blocks:
            raise ValueError("objective.tangent=head needs a v head: network.v_head_blocks=1")
        if self.compile and self.objective.jvp == "two-stream":
            raise ValueError(
                "compile=true does not go with objective.jvp=two-stream: take objective.jvp=exact"
            )

    @property
    def differentiates(self) -> bool:
        """Whether training takes du/dt: rectified flow and trajectories of a teacher need none."""
        on_trajectories = bool(self.teacher) and self.distillation.target == "trajectory"
        return self.objective.jvp != "none" and not on_trajectories

    @property
    def solver(self) -> Solver:
        """How the trained network is sampled: a rectified flow by an exponential integrator where
        part of it is in closed form.
        """
        flow, closed = self.objective.jvp == "none", self.precondition.kind == "gaussian"
        return "exponential" if flow and closed else self.objective.solver

    def times_at(self, update: int) -> TimeSampler:
        """Return the time sampler of an update, counted from 0."""
        times, progress = self.times, update / self.updates
        if self.equal_fraction is not None:
            times = replace(times, equal_fraction=self.equal_fraction.at(progress))
        if self.max_interval is not None:
            times = replace(times, max_interval=self.max_interval.at(progress))
        return times

    def log_row(self, update: int) -> dict[str, float]:
        """Return what the log shows of the times of an update, counted from 0."""
        return {"equal_fraction": self.times_at(update).equal_fraction}
