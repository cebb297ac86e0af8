"""Sets of small volumes that are alike or not, and what is measured of them."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from neuromf.data.cohort import finish_cohort, save_entry
from neuromf.data.scan import Scan
from neuromf.data.splits import SplitConfig
from neuromf.data.volume import Volume, write_mask, write_volume
from neuromf.evaluation.lesion_pairs import LesionPair
from neuromf.evaluation.measured import MeasuredSet
from neuromf.evaluation.points import Extractor, Points
from neuromf.evaluation.results import (
    ExtractorRecord,
    ProtocolRecord,
    ReferenceRecord,
    RegionRecord,
    Results,
    SetRecord,
)
from neuromf.evaluation.score import Beside, Score, enough
from neuromf.evaluation.sets import Item, VolumeSet, read_set
from neuromf.evaluation.verdict import Verdict
from neuromf.features.cache import Cache
from neuromf.features.extract import Features, Job, Measured, measure_all
from neuromf.features.extractors import load_measure
from neuromf.features.lesion import measure_lesion
from neuromf.metrics.intervals import Interval
from support import placed

SIDE = 24  # voxels of small brains with lesions
MEASURES = ("random-3d", "voxels", "spectrum")


def measured(folder, cache, measures=MEASURES):
    """Return a folder of volumes, measured."""
    volumes = read_set(str(folder))
    job = Job(tuple(measures), Cache(cache))
    files, failed = measure_all(volumes.paths, job)
    assert not failed
    return MeasuredSet(volumes, Features(tuple(files), job))


def made_points(tmp_path, n, shift=0.0, seed=0, extractor="random-2.5d", slices=4, d=12):
    """Features put into a cache, as if a network had made them."""
    cache = Cache(tmp_path)
    job = Job((extractor,), cache)
    chance = torch.Generator().manual_seed(seed)
    measure = load_measure(extractor)
    files = []
    for i in range(n):
        sha = f"{seed:08d}{i:056d}"
        middle = torch.randn(1, d, generator=chance)
        rows = slices if measure.kind == "2.5d" else 1
        values = {
            k: shift + middle + 0.5 * torch.randn(rows, d, generator=chance) for k in measure.keys
        }
        cache.write(measure.sha256, sha, values)
        files.append(Measured(tmp_path / f"{i}", sha))
    return Points(Features(tuple(files), job), Extractor(extractor, measure))


def as_points(measured_set, name="random-3d"):
    """Return a measured set as an extractor sees it."""
    return Points(measured_set.features, Extractor(name, load_measure(name)))


def made_results(scores, extractor="net", **changes):
    """Return results with the scores of each set, by its name."""
    region = RegionRecord(600.0, 40.0, (560.0, math.nan, 640.0))
    sets = {
        name: SetRecord(12, tuple(found), (4.0, 2.0, 1.0), {"GM": region})
        for name, found in scores.items()
    }
    found = Results(
        title="made",
        verdict={name: Verdict("fails", "fine", "unsure") for name in sets},
        reference=ReferenceRecord("people", 9, (4.0, 3.0, 2.0), {"GM": region}),
        extractors=(ExtractorRecord(extractor, extractor, "a network", "0" * 64, True),),
        protocol=ProtocolRecord(0, 10, 20, 3, 0, ""),
        vae=None,
        regions_by="by hand",
        sets=sets,
        reconstruction=None,
        differences=(),
        copies={},
        rejected=(),
        notes=("a note",),
    )
    return replace(found, **changes)


def made_score(
    key, value, real, reconstruction=None, *, std=0.05, n=100, m=40, reach=0.05, expected=None
):
    """A value at equal numbers as `value`, of real people as `real`, of reconstructions as `reconstruction`."""
    beside = {
        "samples": Beside(value, std * abs(value), 20, 20),
        "real": Beside(real, std * abs(real), 20, 20),
    }
    beside |= (
        {"reconstruction": Beside(reconstruction, std * abs(reconstruction), 20, 20)}
        if reconstruction is not None
        else {}
    )
    beside = beside if expected is None else {"real": Beside(expected, 0.0, n, m)}
    interval = Interval(value - reach, value + reach) if enough(n, m) else None
    return Score(key, key, value, n, m, interval=interval, beside=beside)


def scores_of(detail=1.0, recall=0.95, fid=1.0, alike=0.74, flagged=0.05, ml=10.0, **sizes):
    """The scores of a set; those of real people if nothing is said."""
    return [
        made_score("net/fid", fid, 1.0, 1.4, **sizes),
        made_score("net/recall", recall, 0.95, 0.9, **sizes),
        made_score("voxels/ms_ssim", alike, 0.74, 0.75, **({"reach": 0.005} | sizes)),
        made_score("spectrum/high", detail, 1.0, 0.45, **sizes),
        made_score("regions/brain/wasserstein", ml, 10.0, 11.0, **sizes),
        made_score("copies/voxels/flagged", flagged, 0.0, expected=0.06, **sizes),
    ]


def brain_with(mask, spacing=2.0, ratio=1.5):
    """Return a volume of brain at 0.4 in a rim of background, the voxels of a mask brighter."""
    voxels = np.zeros(mask.shape, np.float32)
    voxels[1:-1, 1:-1, 1:-1] = 0.4
    voxels[mask] = 0.4 * ratio
    return Volume(voxels, np.diag([spacing, spacing, spacing, 1.0]))


def box(low, size, shape=(24, 24, 24)):
    """Return a mask (D, H, W) that is a box."""
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, a + n) for a, n in zip(low, size, strict=True))] = True
    return mask


def lesion_set(masks, name="made", *, people=True, ratio=1.5):
    """Return a measured set of volumes with lesion masks; None is a volume without a mask."""
    names = [f"{name}{i}" for i in range(len(masks))]
    items = tuple(Item(Path(n), n, n if people else "") for n in names)
    files = tuple(Measured(item.path, f"{item.name:>064}") for item in items)
    lesions = (m if m is None else measure_lesion(brain_with(m, ratio=ratio), m) for m in masks)
    features = Features(files, Job((), Cache(Path("none"))))
    return MeasuredSet(VolumeSet(name, items), features, lesions=tuple(lesions))


def boxes(n, seed, shape=(24, 24, 24)):
    """Return n masks, boxes of other sizes at other places."""
    rng = np.random.default_rng(seed)
    return [box(rng.integers(3, 12, 3), rng.integers(2, 8, 3), shape) for _ in range(n)]


def brain_with_ball(seed, side=SIDE, empty=False):
    """Return an image and the mask of a bright ball in it, at a place that the seed says."""
    chance = np.random.default_rng(seed)
    at = np.indices((side, side, side))
    brain = sum((a - side / 2) ** 2 for a in at) < (side * 0.45) ** 2
    centre = chance.uniform(side * 0.35, side * 0.65, 3)
    ball = sum((a - c) ** 2 for a, c in zip(at, centre, strict=True)) < 3.2**2
    image = np.where(brain, 0.4 + 0.05 * chance.standard_normal(brain.shape), 0)
    image = np.where(ball & (not empty), 0.9, image).clip(0.01 * brain, 1)
    place = placed()
    mask = ball & (not empty)
    return Volume(image.astype(np.float32), place), Volume(mask.astype(np.float32), place)


def prepared_pairs(folder, people, parents=(), side=SIDE, masks=True, empty=()):
    """Write a cohort of people as `prepare` does, or of copies of `parents` as `phantom` does."""
    folder.mkdir(parents=True)
    records = []
    for number, name in enumerate(people):
        image, lesion = brain_with_ball(sum(map(ord, name)) + number, side, name in empty)
        scan = Scan("made", name, dataset="balls")
        about = {"parent": parents[number] if parents else "", "notes": []}
        records.append(save_entry(folder, scan, image, about, lesion if masks else None))
    finish_cohort(folder, records, SplitConfig())
    return folder


def generated_pairs(folder, n, seed=1000):
    """Write pairs as `generate` does."""
    for number in range(n):
        image, lesion = brain_with_ball(seed + number)
        name = f"sub-{number:05d}"
        anat = folder / name / "anat"
        anat.mkdir(parents=True)
        write_volume(anat / f"{name}_desc-generated_FLAIR.nii.gz", image)
        write_mask(anat / f"{name}_label-lesion_desc-generated_mask.nii.gz", lesion)
    return folder


def lesion_pair(name="a", person="a", seed=0, side=SIDE, **changes):
    """Return a pair in memory."""
    image, lesion = brain_with_ball(seed, side)
    voxels = torch.from_numpy(image.voxels)
    brain = voxels > 0
    scaled = torch.where(brain, (voxels - voxels[brain].mean()) / voxels[brain].std(), 0.0).half()
    made = LesionPair(name, person, scaled, torch.from_numpy(lesion.voxels) > 0, brain, (2.0,) * 3)
    return replace(made, **changes)
