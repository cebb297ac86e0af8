"""The range of simulated lesions: size, shape and contrast, with units."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

Range = tuple[float, float]  # lowest and highest
Kind = Literal["fcd", "ms"]
Lesions = Literal["none", "fcd", "ms"]
Contrast = Literal["T1w", "FLAIR"]


@dataclass(frozen=True)
class Dysplasia:
    """Focal cortical dysplasia of type II: one lesion of cortex and the white matter under it."""

    ml: Range = (1.0, 10.0)  # volume of the mask, drawn uniformly in its logarithm
    # radius along the cortex over depth into white matter: most lesions are flat
    flatness: Range = (2.0, 3.5)
    blur_mm: Range = (3.0, 6.0)  # width of the blurred grey-white border
    edge_mm: float = 3.0  # width of the border in grey matter
    # T1w level: 0 is white matter around it, 1 is cortex; dysplastic tissue is nearly grey
    grey: Range = (0.65, 1.0)
    flair: Range = (0.20, 0.45)  # rise over the white matter around it in FLAIR, a fraction of it
    tail: float = 0.4  # probability of a transmantle tail, seen in about half of type IIb
    tail_mm: Range = (2.0, 4.0)  # radius of the tail at the cortex; it halves towards the ventricle

    def __post_init__(self) -> None:
        positive(self, "ml", "flatness", "blur_mm", "flair", "tail_mm")
        positive(self, "grey")
        if not 0 <= self.tail <= 1:
            raise ValueError(f"tail is {self.tail}: a probability, 0 to 1")
        width(self.edge_mm)


@dataclass(frozen=True)
class Sclerosis:
    """Lesions like those of multiple sclerosis: several in the white matter near the ventricles."""

    n: tuple[int, int] = (3, 12)  # fewest and most lesions of a brain
    ml: Range = (0.1, 2.0)  # volume of each, drawn uniformly in its logarithm
    # length away from the ventricle over width: along the veins that enter there (Dawson)
    elongation: Range = (1.2, 2.2)
    reach_mm: float = 10.0  # from the ventricles to where a lesion starts, at most
    edge_mm: float = 4.0  # width of the border
    grey: Range = (0.4, 1.2)  # T1w level: 0 is white matter, 1 grey; beyond 1 are black holes
    flair: Range = (0.25, 0.45)  # rise over white matter in FLAIR, a fraction of it

    def __post_init__(self) -> None:
        positive(self, "ml", "elongation", "grey", "flair")
        if not 1 <= self.n[0] <= self.n[1]:
            raise ValueError(
                f"n is {self.n}: the fewest and the most lesions of a brain, 1 or more; "
                "lesions=none draws brains without"
            )
        if not (math.isfinite(self.reach_mm) and self.reach_mm > 0):
            raise ValueError(f"reach_mm is {self.reach_mm}: mm, above 0")
        width(self.edge_mm)


@dataclass(frozen=True)
class LesionConfig:
    """The range that simulated lesions are drawn from."""

    fcd: Dysplasia = field(default_factory=Dysplasia)
    ms: Sclerosis = field(default_factory=Sclerosis)


def positive(config: object, *names: str) -> None:
    """Raise ValueError unless each named range is finite, ordered and above 0."""
    for name in names:
        low, high = getattr(config, name)
        if not (0 < low <= high and math.isfinite(high)):
            raise ValueError(f"{name} is ({low}, {high}): lowest and highest, both above 0")


def width(edge_mm: float) -> None:
    """Raise ValueError unless the width of a border is above 0 and at most 20 mm."""
    if not 0 < edge_mm <= 20:
        raise ValueError(f"edge_mm is {edge_mm}: mm, above 0 and at most 20")
