"""Every metric of several sets, with the same reference, features, numbers and resampled
volumes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from neuromf.data.looked import first_of_each, shown_files
from neuromf.evaluation.comparisons import all_comparisons
from neuromf.evaluation.lesions import measure_lesions
from neuromf.evaluation.measured import MeasuredSet, MeasuredSets, equal_files
from neuromf.evaluation.measurer import Measurer
from neuromf.evaluation.memorisation import TrainingComparison
from neuromf.evaluation.notes import on_sampling, on_sets
from neuromf.evaluation.regions import METHODS, region_sizes
from neuromf.evaluation.registry import scores
from neuromf.evaluation.results import (
    ClosePair,
    CopiesRecord,
    ExtractorRecord,
    ProtocolRecord,
    ReconstructionRecord,
    ReferenceRecord,
    RegionRecord,
    Results,
    SetRecord,
    differences,
)
from neuromf.evaluation.score import Score
from neuromf.evaluation.sets import VolumeSet
from neuromf.evaluation.slices import Slices, take_slices
from neuromf.evaluation.verdict import Verdict, verdict
from neuromf.features.measure import Measure
from neuromf.features.plain import SPECTRUM
from neuromf.reporting.viewer import Shown

SEEN = 2  # volumes of each of two sets in the viewer of the page; of more sets one of each
MOST_SETS = 4  # in the viewer: each volume adds some 300 kB to the page


class Evaluated(NamedTuple):
    """What was found, and the slices and volumes that a page shows."""

    results: Results
    slices: Slices
    volumes: list[Shown]


def evaluate(sets: Sequence[VolumeSet], measurer: Measurer) -> Evaluated | None:
    """Return every metric of the sets, None where only a part of the features was asked for."""
    measured = measure(sets, measurer)
    if measured is None:
        return None

    found: dict[str, list[Score]] = {s.name: [] for s in measured.sets}
    copies: dict[str, list[CopiesRecord]] = {}
    for name, comparison in all_comparisons(measured, measurer):
        found[name] += scores(comparison)
        if isinstance(comparison, TrainingComparison):
            copies.setdefault(name, []).append(copies_record(comparison))

    results = record(measured, measurer, found, copies)
    shown = [("real", measured.reference), *((s.name, s) for s in measured.sets)]
    if measured.reconstruction is not None:
        shown.insert(1, ("reconstruction", measured.reconstruction))
    paths = {name: s.volumes.paths for name, s in shown}
    slices = take_slices(paths, results.copies)
    return Evaluated(results, slices, in_viewer(paths))


def in_viewer(paths: Mapping[str, Sequence[Path]]) -> list[Shown]:
    """Return the volumes that the page's viewer shows: a sample, a real one beside it, others."""
    names = [name for name in paths if name not in ("real", "reconstruction")]
    order = (*names[:1], "real", *names[1 : MOST_SETS - 1])
    chosen = {name: paths[name] for name in order}
    return shown_files(first_of_each(chosen, SEEN if len(chosen) == SEEN else 1))


def measure(sets: Sequence[VolumeSet], measurer: Measurer) -> MeasuredSets | None:
    """Return all sets measured, samples cut to equal numbers, real volumes reconstructed; None
    where only a part of the features was asked for.
    """
    (measurer.out / "rejected.csv").unlink(missing_ok=True)  # of a start before --resume
    measurer.notes += on_sampling(sets, measurer)
    measured = measurer.measure_sets(sets)
    if measurer.config.part:
        return None

    measured.sets = same_number(measured.sets, measurer)
    measurer.notes += on_sets(measured, measurer)
    measure_lesions(measured, measurer)  # masks on other grids are refused before long work
    if measurer.vae and measurer.config.reconstructions:
        measured.reconstruction = measurer.reconstruct(measured.people)
    for one in (*measured.sets, measured.reference, measured.real, measured.reconstruction):
        if one is not None:
            one.sizes = region_sizes(one, measurer)
    return measured


def same_number(sets: list[MeasuredSet], measurer: Measurer) -> list[MeasuredSet]:
    """Return the sets cut to the smallest: files that could not be
    read may have made them unlike.
    """
    smallest = min(map(len, sets))
    if all(len(one) == smallest for one in sets):
        return sets
    measurer.notes.append(f"all sets are cut to {smallest} volumes, after what could not be read")
    return [one.only(range(smallest)) for one in sets]


def record(
    measured: MeasuredSets,
    measurer: Measurer,
    found: dict[str, list[Score]],
    copies: dict[str, list[CopiesRecord]],
) -> Results:
    """Return scores and measurements as scores.json holds them."""
    config, reference = measurer.config, measured.reference
    sets = {
        s.name: SetRecord(len(s), tuple(found[s.name]), power(s), regions(s)) for s in measured.sets
    }
    ceiling = measured.reconstruction

    return Results(
        title=title_of(measured.sets),
        verdict={s.name: verdict_on(s, found[s.name], measured, measurer) for s in measured.sets},
        reference=ReferenceRecord(
            reference.name, len(reference), power(reference), regions(reference)
        ),
        extractors=tuple(extractor_record(*e) for e in measurer.extractors),
        protocol=ProtocolRecord(
            config.n, config.pairs, config.bootstrap, config.draws, config.seed, config.real
        ),
        vae=measurer.vae or None,
        regions_by=METHODS[config.morphology] or None,
        sets=sets,
        reconstruction=ReconstructionRecord(len(ceiling), power(ceiling))
        if ceiling is not None
        else None,
        differences=tuple(differences(sets)),
        copies={name: tuple(records) for name, records in copies.items()},
        rejected=tuple(measurer.rejected),
        notes=tuple(measurer.notes),
    )


def title_of(sets: Sequence[MeasuredSet]) -> str:
    """Return what was evaluated, for the head of the page."""
    n = len(sets[0])
    return f"{sets[0].name}: {n} volumes" if len(sets) == 1 else f"{len(sets)} sets of {n} volumes"


def verdict_on(
    samples: MeasuredSet, found: list[Score], measured: MeasuredSets, measurer: Measurer
) -> Verdict:
    """Return the three sentences on one set."""
    untrained = [e.name for e in measurer.extractors if not e.measure.trained]
    identical = equal_files(samples, measured.reference)
    return verdict(found, len(samples), len(measured.reference), untrained, identical)


def extractor_record(name: str, measure: Measure) -> ExtractorRecord:
    """Return what a reader has to know of a feature network."""
    return ExtractorRecord(name, measure.name, measure.label, measure.sha256, measure.trained)


def power(s: MeasuredSet) -> tuple[float, ...]:
    """Return the mean power spectrum of a set."""
    return tuple(s.features.stacked(SPECTRUM, "power").double().mean(0).tolist())


def regions(s: MeasuredSet) -> dict[str, RegionRecord]:
    """Return the sizes of each region, ml."""
    found = {}
    for name, each in s.sizes.items():
        there = each[torch.isfinite(each)]
        std = float(there.std()) if len(there) > 1 else torch.nan
        found[name] = RegionRecord(float(there.mean()), std, tuple(each.tolist()))
    return found


def copies_record(found: TrainingComparison) -> CopiesRecord:
    """Return the distances to training volumes, and the nearest pairs."""
    distances = found.memorisation
    closest = tuple(
        ClosePair(str(a.path), str(b.path), (a.name, b.name), distance)
        for a, b, distance in found.closest
    )

    return CopiesRecord(
        found.space,
        distances.threshold,
        closest,
        tuple(distances.samples.tolist()),
        tuple(distances.held_out.tolist()),
    )
