"""The lesions of measured sets: which volumes have a mask, and what is measured of each."""

from __future__ import annotations

from collections.abc import Iterator

from neuromf.evaluation.measured import MeasuredSet, MeasuredSets
from neuromf.evaluation.measurer import Measurer
from neuromf.features.lesion import MeasuredLesion
from neuromf.features.pairs import ImageAndMask, measure_pairs


def measure_lesions(measured: MeasuredSets, measurer: Measurer) -> None:
    """Measure the lesion masks of all sets, where both samples and reference have some; note what
    has none. Raises FrameError for a mask on another grid than its volume.
    """
    samples, reference = measured.sets, measured.reference
    if not any(map(masks_of, (*samples, reference))):
        return
    if not (masks_of(reference) and any(map(masks_of, samples))):
        measurer.notes.append(
            "lesion metrics need masks of both samples and reference: "
            + ", ".join(f"{s.name} has {masks_of(s)}" for s in (*samples, reference))
        )
        return

    others = [s for s in (measured.real, measured.train) if s is not None and masks_of(s)]
    for one in (*samples, reference, *others):
        one.lesions = lesions_of(one, measurer)
        measurer.notes += on_lesions(one)


def masks_of(s: MeasuredSet) -> int:
    """Return how many volumes of a set have a lesion mask."""
    return sum(item.lesion is not None for item in s.volumes.items)


def lesions_of(s: MeasuredSet, measurer: Measurer) -> tuple[MeasuredLesion | None, ...]:
    """Return the lesion of each volume, None where there is no mask, or where it cannot be read,
    which is listed.
    """
    pairs = [ImageAndMask(item.path, item.lesion) for item in s.volumes.items if item.lesion]
    found = measure_pairs(pairs, s.features.job, measurer.processes, f"lesions of {s.name}")
    failed = [(pair.mask, why) for pair, why in found.items() if isinstance(why, str)]
    measurer.reject(s.name, failed, f"of {len(pairs)} lesion masks were left out")

    lesions = {p.image: each for p, each in found.items() if not isinstance(each, str)}
    return tuple(lesions.get(item.path) for item in s.volumes.items)


def on_lesions(s: MeasuredSet) -> Iterator[str]:
    """Yield how many volumes of a set have no mask, and how many masks are empty."""
    without = sum(lesion is None for lesion in s.lesions)
    if without:
        yield (
            f"{s.name}: {without} of {len(s)} volumes have no lesion mask: lesion metrics are of "
            f"the other {len(s) - without}"
        )
    empty = sum(lesion.empty for lesion in s.masks)
    if empty:
        yield f"{s.name}: {empty} of {len(s.masks)} lesion masks are empty"
