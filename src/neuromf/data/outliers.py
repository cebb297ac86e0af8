"""Values far from all others of a scan: the fill outside a field of view, and broken voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuromf.data.foreground import Mask
from neuromf.data.volume import Volume, Voxels

TAIL = 1e-3  # of the voxels at each end: what lies between is the usual range
FILL = 1e-3  # a value held by a larger share of the voxels was set, and is not one voxel's fault
# usual ranges between a fill and all other values; a black background is much nearer
FILL_GAP = 2.0
BELOW = 0.4  # usual ranges that good values may lie below it (in 51 real scans: 0.16) ...
ABOVE = 5.0  # ... and above it (2.95: vessels)
BRAIN_BELOW = 4.0  # black is at most this many ranges of the brain below it (0.55 in real scans)


@dataclass(frozen=True)
class Outliers:
    """How many voxels were beyond the limits, where the first ones are, and what they became."""

    below: int = 0
    above: int = 0
    first_below: tuple[int, ...] = ()  # the file's indices
    first_above: tuple[int, ...] = ()
    # so many that they are a background, below and above
    filled: tuple[bool, bool] = (False, False)
    smallest: float = 0.0  # of all other values: what a background becomes

    def record(self) -> dict[str, int]:
        """Return the counts."""
        return {"below": self.below, "above": self.above}

    def notes(self) -> list[str]:
        """Return a line for each end that was changed."""
        lines = []
        for count, where, first, filled in (
            (self.below, "below", self.first_below, self.filled[0]),
            (self.above, "above", self.first_above, self.filled[1]),
        ):
            what = (
                f"taken for background, set to {self.smallest:g}"
                if filled
                else "set to their neighbours' median"
            )
            if count:
                lines.append(f"{count} voxels far {where} all others, the first at {first}: {what}")

        return lines


def without_outliers(
    volume: Volume, values: Voxels, counts: NDArray[np.int_]
) -> tuple[Volume, Outliers]:
    """Return the volume with outlying voxels replaced, and what was found.

    A few become the median of their neighbours; many (a fill outside the field of view)
    become the smallest other value. `values` are the distinct values of the scan (or of a
    share of it) in ascending order, `counts` how often each occurs. Without outliers, the
    volume itself is returned.
    """
    lower, upper = limits(values, counts)
    voxels = volume.voxels
    if lower <= voxels.min() and voxels.max() <= upper:
        return volume, Outliers()
    below, above = voxels < lower, voxels > upper
    others = ~(below | above)
    smallest = voxels[others].min()
    filled = bool(below.mean() > FILL), bool(above.mean() > FILL)
    mended = np.where(others, voxels, smallest)
    for mask, many in ((below, filled[0]), (above, filled[1])):
        if not many:
            mended[mask] = _medians(voxels, others, mask, smallest)

    counted = int(below.sum()), int(above.sum())
    return Volume(mended, volume.affine, volume.notes), Outliers(
        *counted, _first(below), _first(above), filled, float(smallest)
    )


def limits(values: Voxels, counts: NDArray[np.int_]) -> tuple[float, float]:
    """Return the smallest and the largest value that is not an outlier.

    Both follow from the usual range, which excludes a thousandth of the voxels at each end, and
    before that the values that were set far away (padding with -32768, for example).
    """
    ordered: NDArray[np.float64] = values.astype(np.float64)
    for _ in range(2):  # a fill may hide another one at the other end
        ordered, counts = _without_fill(ordered, counts)
        flipped, counts = _without_fill(-ordered[::-1], counts[::-1])
        ordered, counts = -flipped[::-1], counts[::-1]
    low, high = _usual(ordered, counts)
    if low == high:
        return float("-inf"), float("inf")
    return low - BELOW * (high - low), high + ABOVE * (high - low)


def black_of_brain(voxels: Voxels, brain: Mask) -> float:
    """Return the lowest value that may become black: well below the brain's 5th percentile.

    In MRI the scan's smallest value lies above it. In CT air lies far below it, and would leave the
    brain no contrast. Minus infinity for a flat brain.
    """
    inside = voxels[::2, ::2, ::2][brain[::2, ::2, ::2]]
    if inside.size == 0:
        return float("-inf")
    dark, bright = np.percentile(inside, [5, 95])
    return float(dark - BRAIN_BELOW * (bright - dark)) if bright > dark else float("-inf")


def _without_fill(
    values: NDArray[np.float64], counts: NDArray[np.int_]
) -> tuple[NDArray[np.float64], NDArray[np.int_]]:
    """Return the values without the lowest ones that were set, if they lie far below the others."""
    often = np.flatnonzero(counts > FILL * counts.sum())
    if often.size == 0 or often[0] + 1 >= values.size:
        return values, counts
    rest, times = values[often[0] + 1 :], counts[often[0] + 1 :]
    low, high = _usual(rest, times)
    far = high > low and low - values[often[0]] > FILL_GAP * (high - low)
    return (rest, times) if far else (values, counts)


def _usual(values: NDArray[np.float64], counts: NDArray[np.int_]) -> tuple[float, float]:
    share = np.cumsum(counts) / counts.sum()
    low, high = np.searchsorted(share, [TAIL, 1 - TAIL])
    return float(values[low]), float(values[high])


def _medians(voxels: Voxels, good: Mask, wanted: Mask, otherwise: np.float32) -> Voxels:
    """Return the median of the good voxels around each wanted one; `otherwise`
    if there are none.
    """
    offsets = np.indices((3, 3, 3)).reshape(3, -1) - 1
    around = np.argwhere(wanted)[:, :, None] + offsets  # (n, 3, 27)
    inside = ((around >= 0) & (around < np.array(voxels.shape)[:, None])).all(axis=1)
    at = tuple(np.clip(around, 0, np.array(voxels.shape)[:, None] - 1).transpose(1, 0, 2))
    masked = np.ma.masked_array(voxels[at], ~(inside & good[at]))
    return np.ma.median(masked, axis=1).filled(otherwise).astype(np.float32)


def _first(mask: Mask) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(mask.argmax(), mask.shape)) if mask.any() else ()
