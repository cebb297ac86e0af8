"""Every figure of several sets, with the same reference, features,
numbers and resampled volumes.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from neuromf.evaluation import volume_metrics as anatomy
from neuromf.evaluation.feature_metrics import Points, Setup, plain, scores
from neuromf.evaluation.measured import Bench, Material
from neuromf.evaluation.memorisation import Copies, copy_scores, find_copies
from neuromf.evaluation.pairs import compare_pairs
from neuromf.evaluation.resampling import Figures, Rebuilt, at_equal_numbers
from neuromf.evaluation.score import Score
from neuromf.evaluation.sets import VolumeSet, frame_of
from neuromf.features.extractors import load_measure
from neuromf.features.measure import fingerprint
from neuromf.metrics.intervals import counts
from neuromf.runtime.files import write_bytes, write_json
from neuromf.runtime.randomness import Purpose, generator
from neuromf.segmentation.synthseg import synthseg
from neuromf.segmentation.tissue import METHOD, REGIONS

log = logging.getLogger("neuromf")


@dataclass
class Judged:
    """A set with its figures."""

    material: Material
    scores: list[Score]
    copies: list[Copies] = field(default_factory=list)
    likeness: dict[str, Tensor] = field(default_factory=dict)
    # likeness to the real volumes of the same names
    partners: dict[str, Tensor] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the set."""
        return self.material.name

    def score(self, key: str) -> Score | None:
        """Return a score by its key."""
        return next((s for s in self.scores if s.key == key), None)


@dataclass
class Results:
    """All that was found."""

    sets: list[Judged]
    reference: Judged  # its own likeness and sizes
    reconstruction: Material | None
    rebuilt: dict[str, Tensor]  # its likeness
    bench: Bench
    vae: str
    method: str  # of region sizes

    @property
    def notes(self) -> list[str]:
        """What the reader has to know."""
        return self.bench.notes

    @property
    def extractors(self) -> list[Any]:
        """The measures that are extractors."""
        return [load_measure(name, str(self.bench.device)) for name in self.bench.config.extractors]


def judge(sets: Sequence[VolumeSet], bench: Bench) -> Results | None:
    """Return every figure of the sets, None where only a part of the features was asked for."""
    config, vae = bench.config, bench.vae
    tell_of_sets(bench, sets)
    measures = [*config.extractors, "voxels", "spectrum"]
    measures += ["tissue"] if config.morphology == "tissue" else []
    measures += [f"latents:{vae}"] if vae else []
    people = [bench.reference, *([real_set(bench)] if config.real else [])]
    taught = [(bench.train, (config.extractors[0], "voxels"))] if bench.train is not None else []
    found = bench.measure_together(
        [
            *((s.drawn(config.n, config.seed), measures) for s in sets),
            *((s, measures) for s in people),
            *taught,
        ]
    )
    if config.part:
        return None
    measured = same_number(found[: len(sets)], bench)
    reference, *others = found[len(sets) :]
    train = others.pop() if taught else None
    real = others.pop() if others else None
    remark(bench, measured, reference, real, train, vae)
    reconstruction = (
        bench.reconstruct(real or reference, vae, measures)
        if vae and config.reconstructions
        else None
    )
    of = numbers_of(reconstruction, real or reference)
    for material in [*measured, reference, real, reconstruction]:
        if material is not None:
            material.sizes = region_sizes(material, bench)
    results = Results(
        [Judged(m, []) for m in measured],
        Judged(reference, []),
        reconstruction,
        {},
        bench,
        vae,
        method_of(bench),
    )
    lay_beside(results)
    for name in config.extractors:
        judge_features(results, real, of, name)
    beside = at_equal_numbers(
        {j.name: j.material for j in results.sets},
        reference,
        real,
        Rebuilt(reconstruction, of) if reconstruction is not None else None,
        lambda a, r: anatomy.plain(a, r, vae),
        config.draws,
        config.seed,
    )
    if not beside.real:
        bench.notes.append(
            f"{len(reference)} held-out people are too few for "
            "bounds at equal numbers: 4 or more, or real="
        )
    for number, judged in enumerate(results.sets, start=1):
        judge_volumes(judged, results, train, beside, number)
    return results


def tell_of_sets(bench: Bench, sets: Sequence[VolumeSet]) -> None:
    """Note which sets are drawn from, and which are brought to another grid."""
    n = bench.config.n
    drawn = [f"{n} of {len(s)} of {s.name}" for s in sets if 0 < n < len(s)]
    if drawn:
        bench.notes.append(f"drawn at random: {', '.join(drawn)}")
    turned = [s.name for s in sets if bench.config.resample and not bench.frame.fits(frame_of(s))]
    if turned:
        bench.notes.append(
            f"resampled to {bench.frame}, which changes their detail: {', '.join(turned)}"
        )


def same_number(sets: list[Material], bench: Bench) -> list[Material]:
    """Return the sets cut to the smallest: files that could not be
    read may have made them unlike.
    """
    smallest = min(map(len, sets))
    if bench.config.part or all(len(material) == smallest for material in sets):
        return sets
    bench.notes.append(f"all sets are cut to {smallest} volumes, after what could not be read")
    return [material.only(range(smallest)) for material in sets]


def numbers_of(reconstruction: Material | None, pool: Material) -> list[int]:
    """Return of which volume of the pool each reconstruction is."""
    numbers = {item.name: number for number, item in enumerate(pool.volumes.items)}
    return (
        [numbers[item.name] for item in reconstruction.volumes.items]
        if reconstruction is not None
        else []
    )


def real_set(bench: Bench) -> VolumeSet:
    """Return the second real set, under that name."""
    found = bench.people(bench.config.real, "real")
    people = {item.person for item in bench.reference.items if item.person}
    shared = [item for item in found.items if item.person in people]
    if shared:
        raise ValueError(
            f"real={bench.config.real} holds {len(shared)} volumes of people of the reference "
            f"({shared[0].name} first): a bound needs other people"
        )
    return found


def lay_beside(results: Results) -> None:
    """Compare volumes with volumes: in each set, with the nearest real ones,
    with those of the same name.

    All pairs go through the same processes. The reference is set 0, the reconstructions come
    after the samples.
    """
    bench, reference = results.bench, results.reference.material
    config = bench.config
    sets = [reference, *(j.material for j in results.sets)]
    sets += [results.reconstruction] if results.reconstruction is not None else []
    chosen = [anatomy.choose_pairs(m, reference, config, number) for number, m in enumerate(sets)]
    named = [anatomy.partners_of(j.material, reference, config) for j in results.sets]
    pairs = [pair for c in chosen for pair in c.pairs] + [pair for part in named for pair in part]
    rows = compare_pairs(pairs, reference.features.job, bench.processes)
    lost = sum(not row for row in rows.values())
    if lost:
        bench.notes.append(f"{lost} pairs of volumes could not be compared: see run.log")
    found = [anatomy.likeness(m, reference, c, rows) for m, c in zip(sets, chosen, strict=True)]
    for judged, likeness, part in zip(
        [results.reference, *results.sets], found, [[], *named], strict=False
    ):
        judged.likeness = likeness
        judged.partners = anatomy.by_metric([rows[pair] for pair in part])
    results.rebuilt = found[-1] if results.reconstruction is not None else {}


def judge_features(results: Results, real: Material | None, of: list[int], name: str) -> None:
    """Add the figures of one extractor to every set."""
    config, rebuilt = results.bench.config, results.reconstruction
    points = {j.name: Points(j.material.features, name) for j in results.sets}
    reference = Points(results.reference.material.features, name)
    setup = Setup(reference, config.bootstrap, config.seed, tuple(points.values()))
    beside = at_equal_numbers(
        points,
        setup.reference,
        Points(real.features, name) if real else None,
        Rebuilt(Points(rebuilt.features, name), of) if rebuilt is not None else None,
        lambda a, r: {f"{name}/{metric}": value for metric, value in plain(a, r, setup).items()},
        config.draws,
        config.seed,
    )
    for number, judged in enumerate(results.sets, start=1):
        found, missing = scores(points[judged.name], setup.reference, setup, number)
        results.notes.extend(line for line in missing if line not in results.notes)
        judged.scores += [with_bounds(score, beside, judged.name) for score in found]


def with_bounds(score: Score, beside: Figures, name: str) -> Score:
    """Return a score with the same figure at equal numbers: of the samples, of
    reconstructions, of real volumes.
    """
    return score.with_beside(
        samples=beside.sets.get(name, {}).get(score.key),
        reconstruction=beside.reconstruction.get(score.key),
        real=beside.real.get(score.key),
    )


def judge_volumes(
    judged: Judged, results: Results, train: Material | None, beside: Figures, number: int
) -> None:
    """Add the figures of the volumes themselves to a set."""
    reference, config = results.reference.material, results.bench.config
    a, rebuilt = judged.material, results.reconstruction
    sizes = (len(a), len(reference), len(rebuilt) if rebuilt is not None else 0)
    weights = (
        counts(len(a), config.bootstrap, generator(Purpose.BOOTSTRAP, config.seed, number)),
        counts(len(reference), config.bootstrap, generator(Purpose.BOOTSTRAP, config.seed, 0)),
    )
    judged.scores += anatomy.likeness_scores(
        judged.likeness, results.reference.likeness, results.rebuilt, sizes, config.bootstrap
    )
    judged.scores += anatomy.partner_scores(judged.partners, len(a), len(reference))
    judged.scores += anatomy.partner_distances(a, reference, config.extractors)
    found = anatomy.plain_scores(a, reference, results.vae, weights, results.method)
    judged.scores += anatomy.segmented_score(a, reference, results.method)
    judged.scores += [with_bounds(score, beside, judged.name) for score in found]
    if train is not None:
        spaces = ("voxels", config.extractors[0])
        judged.copies = [
            c for space in spaces if (c := find_copies(a, reference, train, space)) is not None
        ]
        judged.scores += [
            score for copies in judged.copies for score in copy_scores(copies, config.bootstrap)
        ]
    judged.scores = [score.supported() for score in judged.scores]


def region_sizes(material: Material, bench: Bench) -> dict[str, Tensor]:
    """Return the size of each region in ml, of every volume (N,)."""
    if bench.config.morphology == "tissue":
        ml = material.features.stacked("tissue", "ml")
        return {name: ml[:, i] for i, name in enumerate(REGIONS)}
    if bench.config.morphology == "none":
        return {}
    return synthseg_sizes(material, bench)


def synthseg_sizes(material: Material, bench: Bench) -> dict[str, Tensor]:
    """Return what SynthSeg measures; it runs once over a set, and its answer
    is kept in the run's folder.
    """
    folder = bench.out / "synthseg" / fingerprint(*(f.sha256 for f in material.features.files))[:16]
    kept = folder / "ml.safetensors"
    if not kept.is_file():
        found = synthseg(material.volumes.paths, folder, bench.config.synthseg)
        write_json(folder / "quality.json", [p.quality for p in found])
        passed = sum(p.passed for p in found)
        bench.notes.append(
            f"{material.name}: SynthSeg's own quality check passes {passed} of {len(found)}"
        )
        names = [name for name in found[0].ml if all(name in p.ml for p in found)]
        table = {
            name: torch.tensor([p.ml[name] for p in found], dtype=torch.float64) for name in names
        }
        write_bytes(kept, save(table))
    return dict(sorted(load(kept.read_bytes()).items()))


def method_of(bench: Bench) -> str:
    """Return by what the regions were measured."""
    return {"tissue": METHOD, "synthseg": "SynthSeg", "none": ""}[bench.config.morphology]


def remark(
    bench: Bench,
    sets: list[Material],
    reference: Material,
    real: Material | None,
    train: Material | None,
    vae: str,
) -> None:
    """Note what a reader has to know of the sets. Raises ValueError for a bound
    of the reference's own files.
    """
    for material in sets:
        bench.warn_of_equals(material, reference)
        if train is not None and bench.equal_files(material, train):
            bench.notes.append(
                f"{bench.equal_files(material, train)} files of {material.name} are training files"
            )
    for one, other in itertools.combinations(sets, 2):
        if bench.equal_files(one, other):
            bench.notes.append(
                f"{bench.equal_files(one, other)} files are in both {one.name} and {other.name}"
            )
    if real is not None and bench.equal_files(real, reference):
        raise ValueError(
            f"real={bench.config.real} holds files of the reference: a bound needs other people"
        )
    if train is None:
        bench.notes.append(
            "train= names no training data: whether samples copy it was not looked at"
        )
    if not vae:
        bench.notes.append("no VAE is named (vae=): no reconstruction ceiling, no latents")
