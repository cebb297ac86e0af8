"""How a network that finds the brain is trained."""

from __future__ import annotations

from dataclasses import dataclass, field

from neuromf.data.brain_network import BrainNetworkConfig
from neuromf.flow import Ramp
from neuromf.runtime.device import Precision
from neuromf.runtime.fields import key
from neuromf.training.optimiser import Optimiser


@dataclass(frozen=True)
class TrainSkullstripConfig:
    """How a network that finds the brain is trained."""

    labels: str = ""  # folder of whole-head label maps at 1 mm, FreeSurfer's numbers in the brain
    held_out: int = 2  # maps, the last by name, that are looked at and not trained on
    network: BrainNetworkConfig = field(default_factory=BrainNetworkConfig)
    updates: int = key(1500, free=True)  # a resumed run with fewer ends with the decay of lr
    batch: int = 2  # heads
    lr: float = 2e-3
    warmup: int = 30  # updates
    ema: float = 0.99
    clip: float = 1.0  # norm of the gradient
    precision: Precision = "float32"
    device: str = "auto"  # auto, cpu, mps, cuda, cuda:1
    log_every: int = 10  # updates
    check_every: int = 250  # updates between checkpoints and looks at held-out heads
    check_heads: int = 12
    num_workers: int = key(0, free=True)  # processes that draw heads
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("held_out", "updates", "batch", "check_every", "check_heads", "log_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: 1 or more")
        if not 0 <= self.ema < 1 or min(self.num_workers, self.seed) < 0:
            raise ValueError(
                f"ema {self.ema}, num_workers {self.num_workers}, seed {self.seed}: ema in [0, 1), "
                "the others not negative"
            )
        self.optimiser  # noqa: B018 - refuses lr, clip and warmup

    @property
    def optimiser(self) -> Optimiser:
        """AdamW with a linear warm-up, then a cosine down to a hundredth."""
        begin = max(min(self.warmup / self.updates, 1.0), 0.0)
        decay = Ramp(1.0, 0.01, begin, 1.0, "cosine")
        return Optimiser(self.lr, (0.9, 0.99), clip=self.clip, warmup=self.warmup, decay=decay)
