"""Which comparisons an evaluation makes, one space after another, each with its references:
the real-vs-real reference and the reconstruction ceiling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from neuromf.evaluation.feature_comparison import FeatureComparison, FeatureSpace
from neuromf.evaluation.lesion_copies import compare_with_training_masks
from neuromf.evaluation.lesion_metrics import LesionComparison
from neuromf.evaluation.lesion_quantities import QUANTITIES, QuantityComparison
from neuromf.evaluation.likeness import (
    LikenessComparison,
    PartnerComparison,
    by_metric,
    choose_pairs,
    feature_partners,
    likeness,
    likeness_references,
    partners_of,
)
from neuromf.evaluation.measured import MeasuredSet, MeasuredSets
from neuromf.evaluation.measurer import Measurer
from neuromf.evaluation.memorisation import compare_with_training
from neuromf.evaluation.metric import Bootstrap, Comparison, draw_bootstrap
from neuromf.evaluation.notes import on_numbers
from neuromf.evaluation.pairs import compare_pairs
from neuromf.evaluation.points import Extractor, Points
from neuromf.evaluation.region_metrics import region_comparisons, segmentation_comparison
from neuromf.evaluation.regions import METHODS
from neuromf.evaluation.registry import point_estimates
from neuromf.evaluation.resampling import Reconstructions, at_equal_numbers
from neuromf.evaluation.score import References
from neuromf.evaluation.volume_metrics import volume_comparisons

Found = Iterator[tuple[str, Comparison]]  # name of a set, comparison


def all_comparisons(measured: MeasuredSets, measurer: Measurer) -> Found:
    """Yield every comparison of every set, in the order of scores.csv."""
    for extractor in measurer.extractors:
        yield from of_features(measured, measurer, extractor)
    yield from of_pairs(measured, measurer)
    yield from of_volumes(measured, measurer)
    yield from of_training(measured, measurer)
    yield from of_lesions(measured, measurer)


def of_features(measured: MeasuredSets, measurer: Measurer, extractor: Extractor) -> Found:
    """Yield the comparison of each set in the features of one extractor."""
    config, ceiling = measurer.config, measured.reconstruction
    sets = {s.name: Points(s.features, extractor) for s in measured.sets}
    reference = Points(measured.reference.features, extractor)
    space = FeatureSpace(reference, tuple(sets.values()), config.seed)
    references = at_equal_numbers(
        sets,
        reference,
        Points(measured.real.features, extractor) if measured.real is not None else None,
        Reconstructions(Points(ceiling.features, extractor), measured.reconstructed)
        if ceiling is not None
        else None,
        lambda a, r: point_estimates(FeatureComparison(a, r, space)),
        *(config.draws, config.seed),
    )

    for number, (name, points) in enumerate(sets.items(), start=1):
        bootstrap = _bootstrap(points, reference, measurer, number)
        found = FeatureComparison(points, reference, space, bootstrap, references.get(name, {}))
        measurer.notes += [line for line in on_numbers(found) if line not in measurer.notes]
        yield name, found


def of_pairs(measured: MeasuredSets, measurer: Measurer) -> Found:
    """Yield volumes against volumes: in each set, with the nearest real ones, with those of the
    same name.

    All pairs go through the same processes. The reference is set 0, the reconstructions come
    after the samples.
    """
    reference, config = measured.reference, measurer.config
    sets = [reference, *measured.sets]
    sets += [measured.reconstruction] if measured.reconstruction is not None else []
    chosen = [choose_pairs(s, reference, config, number) for number, s in enumerate(sets)]
    partners = [partners_of(s, reference, config) for s in measured.sets]

    pairs = [pair for part in (*(c.pairs for c in chosen), *partners) for pair in part]
    rows = compare_pairs(pairs, reference.features.job, measurer.processes)
    if lost := sum(not row for row in rows.values()):
        measurer.notes.append(f"{lost} pairs of volumes could not be compared: see run.log")

    own, *found = [likeness(s, reference, c, rows) for s, c in zip(sets, chosen, strict=True)]
    ceiling = found.pop() if measured.reconstruction is not None else {}
    ceiling_of = len(measured.reconstruction) if measured.reconstruction is not None else 0
    for samples, values, named in zip(measured.sets, found, partners, strict=True):
        n, m = len(samples), len(reference)
        beside = likeness_references([values, ceiling, own], (n, m, ceiling_of))
        yield (
            samples.name,
            LikenessComparison("voxels", n, m, values, beside, config.bootstrap, config.seed),
        )
        by_name = by_metric([rows[pair] for pair in named])
        yield samples.name, PartnerComparison("partner", n, m, by_name)
        for compared in feature_partners(samples, reference, measurer.extractors):
            yield samples.name, compared


def of_volumes(measured: MeasuredSets, measurer: Measurer) -> Found:
    """Yield detail, latents and regions of each set."""
    config, reference, latents = measurer.config, measured.reference, measurer.latents
    method = METHODS[config.morphology]

    def compared(
        a: MeasuredSet,
        r: MeasuredSet,
        bootstrap: Bootstrap | None = None,
        beside: Mapping[str, References] | None = None,
    ) -> list[Comparison]:
        return [
            *volume_comparisons(a, r, latents, bootstrap, beside),
            *region_comparisons(a, r, method, bootstrap, beside),
        ]

    references = at_equal_numbers(
        {s.name: s for s in measured.sets},
        reference,
        measured.real,
        Reconstructions(measured.reconstruction, measured.reconstructed)
        if measured.reconstruction is not None
        else None,
        lambda a, r: {k: v for c in compared(a, r) for k, v in point_estimates(c).items()},
        *(config.draws, config.seed),
    )
    if not references:
        measurer.notes.append(
            f"{len(reference)} held-out people are too few for "
            "references at equal numbers: 4 or more, or real="
        )

    for number, samples in enumerate(measured.sets, start=1):
        bootstrap = _bootstrap(samples, reference, measurer, number)
        for found in (
            *segmentation_comparison(samples, reference, method),
            *compared(samples, reference, bootstrap, references.get(samples.name, {})),
        ):
            yield samples.name, found


def of_training(measured: MeasuredSets, measurer: Measurer) -> Found:
    """Yield the nearest training volumes of each set: in coarse voxels, and in the features of the
    first extractor.
    """
    if measured.train is None:
        return

    chance = measurer.config.bootstrap, measurer.config.seed
    for samples in measured.sets:
        for extractor in (None, measurer.extractors[0]):
            found = compare_with_training(
                samples, measured.reference, measured.train, extractor, *chance
            )
            if found is not None:
                yield samples.name, found


def of_lesions(measured: MeasuredSets, measurer: Measurer) -> Found:
    """Yield the lesion masks of each set that has some, of the volumes that have one; nothing where
    no masks were measured.
    """
    config, reference = measurer.config, measured.reference.with_masks
    sets = {s.name: s.with_masks for s in measured.sets if s.masks}
    if not sets or not len(reference):
        return
    real, train = (s.with_masks if s and s.masks else None for s in (measured.real, measured.train))
    references = at_equal_numbers(
        *(sets, reference, real, None),
        lambda a, r: {
            k: v for c in lesion_comparisons(a, r) for k, v in point_estimates(c).items()
        },
        *(config.draws, config.seed),
    )

    # bootstrap samples are numbered by the place of a set among all, masks or not
    for number, name in enumerate((s.name for s in measured.sets), start=1):
        if name not in sets:
            continue
        bootstrap = _bootstrap(sets[name], reference, measurer, number)
        for found in lesion_comparisons(sets[name], reference, bootstrap, references.get(name, {})):
            yield name, found
        if train is not None:
            yield name, compare_with_training_masks(sets[name], reference, train, bootstrap)


def lesion_comparisons(
    a: MeasuredSet,
    r: MeasuredSet,
    bootstrap: Bootstrap | None = None,
    beside: Mapping[str, References] | None = None,
) -> list[Comparison]:
    """Return what is compared of the lesions of two sets whose volumes all have masks."""
    some = (a, r, bootstrap, beside or {})
    return [
        LesionComparison(*some),
        *(QuantityComparison(*some, quantity=quantity) for quantity in QUANTITIES),
    ]


def _bootstrap(
    a: MeasuredSet | Points, r: MeasuredSet | Points, measurer: Measurer, number: int
) -> Bootstrap:
    config = measurer.config
    return draw_bootstrap(len(a), len(r), config.bootstrap, config.seed, number)
