"""How many phantoms of what source, and how much they may differ from it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from neuromf.data.cohort import Entry
from neuromf.data.preprocess import SPACING_MM, refuse_large
from neuromf.data.splits import SplitConfig
from neuromf.data.volume import Volume
from neuromf.phantoms.deform import Deformation
from neuromf.phantoms.lesion_config import Contrast, LesionConfig, Lesions
from neuromf.runtime.fields import key

MNI = "mni152"
Split = Literal["train", "val", "test"]


@dataclass(frozen=True)
class Appearance:
    """How much the intensities of a phantom differ from its source."""

    # standard deviation of the logarithm of each tissue's intensity, and of the exponent
    contrast: float = 0.10
    bias: float = 0.15  # standard deviation of the logarithm of the bias field
    bias_smooth_mm: float = 45.0
    noise: float = 0.01  # standard deviation of Gaussian noise in the brain

    def __post_init__(self) -> None:
        values = self.contrast, self.bias, self.bias_smooth_mm, self.noise
        if not all(math.isfinite(value) and value >= 0 for value in values):
            raise ValueError(f"{self}: finite numbers, nothing negative")
        if max(self.contrast, self.bias) > 3:
            raise ValueError(f"{self}: contrast and bias up to 3: they are spreads of logarithms")


@dataclass(frozen=True)
class PhantomConfig:
    """How many phantoms, of what source, how different."""

    # mni152, a folder that prepare wrote, or label maps (a file, folder, glob or manifest)
    source: str = MNI
    people: Split = "train"  # who of a prepared cohort is copied; a copy stays in that split
    n: int = key(32, free=True)
    spacing: float = 2.0  # mm; copies of a prepared cohort keep its own
    shape: tuple[int, int, int] = (80, 96, 80)
    deformation: Deformation = field(default_factory=Deformation)
    appearance: Appearance = field(default_factory=Appearance)
    # fcd: a focal cortical dysplasia; ms: periventricular lesions; each with its mask
    lesions: Lesions = "none"
    lesion: LesionConfig = field(default_factory=LesionConfig)
    contrast: Contrast = "T1w"  # FLAIR is FLAIR-like, mapped from T1w by the tissues
    seed: int = 0
    split: SplitConfig = field(default_factory=SplitConfig)
    workers: int = key(0, free=True)

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"n is {self.n}: 1 or more")
        if (
            not SPACING_MM[0] <= self.spacing <= SPACING_MM[1]
            or len(self.shape) != 3
            or min(self.shape) < 8
        ):
            raise ValueError(
                f"spacing {self.spacing} mm, shape {self.shape}: {SPACING_MM[0]:g} to "
                f"{SPACING_MM[1]:g} mm and three numbers of voxels, 8 or more"
            )

        refuse_large(self.shape)
        if self.seed < 0 or self.workers < 0:
            raise ValueError(f"seed is {self.seed}, workers {self.workers}: 0 or more")


@dataclass(frozen=True)
class Source:
    """What one phantom is made of: the person it copies (empty for MNI152), and a
    function that draws it.
    """

    parent: str
    split: str
    about: dict[str, str]  # dataset, group, age, sex
    sha256: str  # of the file that it copies
    draw: Callable[[np.random.Generator, PhantomConfig], Volume]
    original: Entry | None = None  # the prepared volume that it copies
