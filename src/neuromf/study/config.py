"""What a study is: the steps of an arm, the axes of the grid, the seeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from neuromf.runtime.fields import NAMED, key


@dataclass(frozen=True)
class SweepConfig:
    """A grid of runs. An arm is one combination of the axes' values, with one seed."""

    # in order, NAME: the words of a command, [train, preset=small2mm, latents=latents]; $NAME in a
    # value is the folder of an earlier step: [generate, model=$train, n=64]
    steps: dict[str, Any] = field(default_factory=dict, metadata=NAMED)
    # STEP.KEY: [values], or NAME: {LABEL: [STEP.KEY=VALUE, ...]}; in a study of one step KEY alone
    axes: dict[str, Any] = field(default_factory=dict, metadata=NAMED | {"free": True})
    seeds: tuple[int, ...] = key((0,), free=True)  # of every step that has a seed
    workers: int = key(0, free=True)  # arms at once; 0: as many as cores and memory allow
    threads: int = key(0, free=True)  # of an arm; 0: the cores shared out among the workers
    memory_gb: float = key(0.0, free=True)  # that an arm needs; 0 is not known
    retries: int = key(1, free=True)  # further attempts at an arm that failed
    throttle: int = key(0, free=True)  # jobs at once on a cluster; 0: no limit

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError(
                "steps is empty: a study is a YAML file with steps such as "
                "train: [train, preset=small2mm, latents=latents], and axes"
            )
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ValueError(f"seeds are {list(self.seeds)}: one or more, each once, 0 or more")
        for name in ("workers", "threads", "memory_gb", "retries", "throttle"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}: 0 or more")
