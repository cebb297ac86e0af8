"""What a reader of an evaluation has to know of its sets."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence

from neuromf.evaluation.feature_comparison import NEIGHBOURS, FeatureComparison
from neuromf.evaluation.findings import listed
from neuromf.evaluation.measured import MeasuredSet, MeasuredSets, equal_files
from neuromf.evaluation.measurer import Measurer
from neuromf.evaluation.registry import metrics_of
from neuromf.evaluation.score import FEWEST, TRUSTED
from neuromf.evaluation.sets import VolumeSet, frame_of

log = logging.getLogger("neuromf")


def on_sampling(sets: Sequence[VolumeSet], measurer: Measurer) -> Iterator[str]:
    """Yield notes on sets of which a part is drawn, and on sets that are resampled."""
    n = measurer.config.n
    drawn = [f"{n} of {len(s)} of {s.name}" for s in sets if 0 < n < len(s)]
    if drawn:
        yield f"drawn at random: {', '.join(drawn)}"

    resample = measurer.config.resample
    turned = [s.name for s in sets if resample and not measurer.frame.fits(frame_of(s))]
    if turned:
        yield f"resampled to {measurer.frame}, which changes their detail: {', '.join(turned)}"


def on_sets(measured: MeasuredSets, measurer: Measurer) -> Iterator[str]:
    """Yield notes on files that are in two sets, and on inputs that are not given. Raises
    ValueError for a second real set with files of the reference.
    """
    for samples in measured.sets:
        yield from on_equal_files(samples, measured.reference)
        if measured.train is not None and (shared := equal_files(samples, measured.train)):
            yield f"{shared} files of {samples.name} are training files"
    for one, other in itertools.combinations(measured.sets, 2):
        if shared := equal_files(one, other):
            yield f"{shared} files are in both {one.name} and {other.name}"

    if measured.real is not None and equal_files(measured.real, measured.reference):
        raise ValueError(
            f"real={measurer.config.real} holds files of the reference: a real-vs-real reference "
            "needs other people"
        )
    if measured.train is None:
        yield "train= names no training data: whether samples copy it was not looked at"
    if not measurer.vae:
        yield "no VAE is named (vae=): no reconstruction ceiling, no latents"


def on_equal_files(samples: MeasuredSet, reference: MeasuredSet) -> Iterator[str]:
    """Yield, and log at once, how many files are in both sets."""
    if shared := equal_files(samples, reference):
        note = (
            f"{shared} files of {samples.name} are identical to files of "
            "the reference: its metrics are too good"
        )
        log.warning("%s", note)
        yield note


def on_numbers(comparison: FeatureComparison) -> Iterator[str]:
    """Yield which metrics the sets are too small for, and which say little."""
    n, m, name = comparison.n, comparison.reference, comparison.prefix
    smallest = min(n, m)
    # planes are named by their mean
    metrics = [metric for metric in metrics_of(comparison) if "." not in metric.key]
    for fewest in sorted({metric.fewest for metric in metrics if metric.fewest > smallest}):
        keys = listed([metric.key for metric in metrics if metric.fewest == fewest])
        yield f"{name}: {keys} need {fewest} volumes in each set: {n} and {m} are there"

    if NEIGHBOURS < smallest < TRUSTED:
        yield (
            f"{name}: {NEIGHBOURS} neighbours of {smallest} volumes are many: "
            f"precision, recall, density and coverage tell little below {TRUSTED}"
        )
    if smallest < FEWEST:
        yield f"{name}: below {FEWEST} volumes in each set there are no intervals"
