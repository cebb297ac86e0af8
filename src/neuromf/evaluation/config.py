"""How sets are evaluated: against whom, by what, with how many draws."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from neuromf.data.splits import SPLITS
from neuromf.features.extractors import AUTO
from neuromf.runtime.fields import key
from neuromf.segmentation.synthseg import SynthSegConfig

MOST = 100_000  # resampled sets, draws and pairs: more takes memory and says no more


@dataclass(frozen=True)
class EvaluationConfig:
    """How sets are evaluated: against whom, by what, with how many draws."""

    reference: str = ""  # held-out people: a folder of prepared volumes
    splits: tuple[str, ...] = ("test",)  # of the reference, where it is split
    real: str = ""  # of other people, for the real-vs-real reference; halves, if empty
    train: Any = ""  # what the model was trained on, folders: to look for copies
    # radimagenet and medicalnet50, untrained ones where their weights are not
    extractors: tuple[str, ...] = (AUTO,)
    # for the reconstruction ceiling and latents; the one that the samples name, if empty; or none
    vae: str = ""
    morphology: Literal["tissue", "synthseg", "none"] = "tissue"
    synthseg: SynthSegConfig = field(default_factory=SynthSegConfig)
    n: int = key(0, free=True)  # volumes of a set at most, drawn at random; 0 is all
    pairs: int = 200  # of volumes that are compared voxel by voxel
    bootstrap: int = 200  # resampled sets
    draws: int = 10  # of smaller sets, for metrics at equal numbers
    reconstructions: int = 100  # real volumes that the reconstruction ceiling is of
    decode_memory_gb: float | None = None  # decode reconstructions in tiles
    resample: bool = False  # put samples of another size onto the reference's grid
    force: bool = False  # evaluate against training people all the same
    contrast: str = "T1w"  # of files in a BIDS tree
    cache: str = ""  # folder of features; ~/.cache/neuromf/features, if empty
    # 2/8: extract the features of every eighth volume alone, from the second on, and stop
    part: str = ""
    seed: int = 0
    device: str = "auto"  # of networks
    workers: int = key(0, free=True)  # processes on a CPU; 0 is one a core

    def __post_init__(self) -> None:
        strange = [s for s in self.splits if s not in SPLITS]
        if strange:
            raise ValueError(f"splits are {self.splits}: some of {', '.join(SPLITS)}")

        if (
            self.bootstrap < 2
            or self.draws < 1
            or self.pairs < 1
            or self.n < 0
            or self.reconstructions < 0
        ):
            raise ValueError(
                f"bootstrap {self.bootstrap}, draws {self.draws}, pairs {self.pairs}, n "
                f"{self.n}, reconstructions {self.reconstructions}: 2 or more, 1, 1, 0 and 0"
            )

        if max(self.bootstrap, self.draws, self.pairs) > MOST:
            raise ValueError(
                f"bootstrap {self.bootstrap}, draws "
                f"{self.draws}, pairs {self.pairs}: {MOST} at most"
            )

        if self.seed < 0 or self.workers < 0:
            raise ValueError(f"seed is {self.seed}, workers {self.workers}: 0 or more")

        if self.decode_memory_gb is not None and not 0 < self.decode_memory_gb < math.inf:
            raise ValueError(
                f"decode_memory_gb is {self.decode_memory_gb}: "
                "above 0, or null for decoding at once"
            )

        if not self.extractors:
            raise ValueError(
                "extractors is empty: auto, radimagenet, medicalnet50, random-2.5d, random-3d"
            )

        self.share()

    def inputs(self) -> list[object]:
        """Return the folders that are read, none of which the output may be."""
        return [self.reference, self.real, self.train, self.vae]

    def share(self) -> tuple[int, int]:
        """Return (number, of how many) of `part`, (1, 1) if it is empty."""
        if not self.part:
            return 1, 1
        number, _, total = self.part.partition("/")
        if not (number.isdigit() and total.isdigit() and 1 <= int(number) <= int(total)):
            raise ValueError(f"part is {self.part!r}: 2/8, for example, the second of eight")
        return int(number), int(total)
