"""Does a set copy the training data? Nearest training volumes in coarse voxels and in an extractor's features."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from neuromf.evaluation.anatomy import one_person
from neuromf.evaluation.distribution import Points
from neuromf.evaluation.material import Material
from neuromf.evaluation.score import Score
from neuromf.metrics.intervals import of_share
from neuromf.metrics.manifold import nearest
from neuromf.metrics.memorisation import QUANTILE, Memorisation

SHOWN = 6  # pairs on the page


@dataclass(frozen=True)
class Copies:
    """Samples, and held-out people, against training volumes, in one space."""

    space: str
    memorisation: Memorisation
    closest: list[tuple[Path, Path, float]]  # samples nearest to a training volume, with it


def find_copies(a: Material, r: Material, train: Material, space: str) -> Copies:
    """Return distances to the nearest training volume in `voxels` or in the features of an extractor."""
    mine, held_out, taught = (embedded(s, space) for s in (a, r, train))
    distance, index = nearest(mine, taught)
    real, _ = nearest(held_out, taught, one_person(r, train))
    scale = mine.shape[1] ** 0.5
    order = distance.argsort()[:SHOWN].tolist()
    closest = [(a.volumes.paths[i], train.volumes.paths[int(index[i])], float(distance[i]) / scale) for i in order]
    return Copies(space, Memorisation(distance / scale, real / scale), closest)


def embedded(s: Material, space: str) -> Tensor:
    """Return one point a volume."""
    return s.features.stacked("voxels", "voxels") if space == "voxels" else Points(s.features, space).embedding


def copy_scores(copies: Copies) -> list[Score]:
    """Return the flagged share, the probability of being nearer than a held-out person, and the ratio of medians."""
    found, space = copies.memorisation, copies.space
    n, m = len(found.samples), len(found.held_out)
    hits = int(found.flagged.sum())
    near = f"nearer to a training volume than {100 * (1 - QUANTILE):.0f} % of held-out people"
    return [
        Score(f"copies/{space}/flagged", f"share {near}", hits / n, n, m, "real", of_share(hits, n)),
        Score(
            f"copies/{space}/nearer",
            "probability of lying nearer than a held-out person (0.5: no copying)",
            found.nearer,
            n,
            m,
            "real",
        ),
        Score(
            f"copies/{space}/ratio",
            "median distance over that of held-out people (1: no copying)",
            found.ratio,
            n,
            m,
            "real",
        ),
    ]
