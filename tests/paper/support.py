"""Sources of the paper, written by hand as the verbs leave them, with known numbers."""

import csv
import json
from dataclasses import replace

import numpy as np
from safetensors.numpy import save_file

from evaluation.support import made_results, made_score
from neuromf.data.cohort import MANIFEST
from neuromf.data.volume import Volume, write_mask, write_volume
from neuromf.evaluation.results import ReferenceRecord, RegionRecord, SetRecord, write_scores
from neuromf.paper.config import PaperConfig, Studies
from neuromf.paper.sources import Sources
from neuromf.runtime.tables import write_table

CALLS = (1, 5, 50)
EXPONENTS = ("1", "2", "3")
SEEDS = (0, 1, 2)


def record(folder, verb, state="finished"):
    """Write run.json of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {"verb": verb, "state": state, "seconds": 1.5, "versions": {"neuromf": "0"}}
    (folder / "run.json").write_text(json.dumps(told))
    return folder


def arms(path, axes, measures, value=None, seeds=SEEDS):
    """Write arms.csv with a row for each combination of labels and each seed; return its path."""
    chance = np.random.default_rng(0)
    rows = []
    for labels in axes["rows"]:
        group = "_".join(f"{a}-{v}" for a, v in zip(axes["names"], labels, strict=True))
        for seed in seeds:
            row = {"arm": f"{group}_seed-{seed}", "group": group, "seed": seed}
            row |= {f"axis.{a}": v for a, v in zip(axes["names"], labels, strict=True)}
            row["state"] = "finished"
            for measure in measures:
                drawn = value(labels, seed, measure) if value else chance.normal(1, 0.1)
                row[measure] = drawn
            rows.append(row | {"missing": ""})
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def torus(path, **more):
    """Write the table of studies/torus.yaml."""
    rows = [(prediction, p) for prediction in ("x", "u", "skip") for p in EXPONENTS]
    axes = {"names": ("prediction", "p"), "rows": rows}
    return arms(path, axes, [f"distance_{c}" for c in CALLS], **more)


def torus_training(path, **more):
    """Write the table of studies/torus-training.yaml."""
    axes = {"names": ("change",), "rows": [("usual",), ("rectified-flow",), ("ema",)]}
    return arms(path, axes, [f"distance_{c}" for c in CALLS], **more)


def brains(path, **more):
    """Write the table of studies/brains.yaml."""
    labels = ("gaussian", "skip", "u", "x", "rectified-flow", "p-1", "p-1.5", "p-3")
    measures = ["random-2.5d/fid", "random-3d/fid", "voxels/ssim", "voxels/ms_ssim"]
    return arms(path, {"names": ("arm",), "rows": [(label,) for label in labels]}, measures, **more)


def blobs(path, **more):
    """Write the table of studies/blobs.yaml."""
    labels = ("x", "u", "skip", "gaussian", "flow-x", "flow-gaussian")
    axes = {"names": ("arm",), "rows": [(label,) for label in labels]}
    return arms(path, axes, ["distance_1", "distance_5"], **more)


def region(mean, n):
    """A region's sizes around a mean, ml."""
    each = tuple(float(mean + 10 * (i - (n - 1) / 2)) for i in range(n))
    return RegionRecord(float(np.mean(each)), float(np.std(each, ddof=1)), each)


def scored(fid, n=12, **more):
    """The record of a set with that FID."""
    scores = {"random-2.5d/fid": 100 * fid, "random-3d/fid": fid} | more
    scores |= {"voxels/ms_ssim": 0.8, "voxels/ssim": 0.75, "spectrum/high": 0.3}
    found = tuple(made_score(key, value, 0.25, 0.9) for key, value in scores.items())
    return SetRecord(n, found, (4.0, 2.0, 1.0), {"GM": region(560, n), "WM": region(450, n)})


def results(sets, people="people", n_people=9):
    """Results of evaluate or compare: a FID, or a whole record, for each set."""
    records = {k: v if isinstance(v, SetRecord) else scored(v) for k, v in sets.items()}
    regions = {"GM": region(600, n_people), "WM": region(440, n_people)}
    reference = ReferenceRecord(people, n_people, (4.0, 3.0, 2.0), regions)
    found = made_results({}, extractor="random-3d", sets=records, reference=reference)
    return replace(found, extractors=(replace(found.extractors[0], trained=False),))


def samples(folder, nfe, seconds=9.0, model="embedded"):
    """Write the records of a folder that generate wrote."""
    record(folder, "generate")
    (folder / "config.yaml").write_text(f"model: {model}\nn: 12\nnfe: {nfe}\n")
    told = {"volumes": 3, "seconds": {"network": seconds / 3, "total": seconds}}
    (folder / "timing.json").write_text(json.dumps(told))
    return folder


def compared(folder, fids, *, told=True, **more):
    """Write a run of compare, with the records of its sets beside it; `fids` by name and calls."""
    record(folder, "compare")
    names = {f"{name}-{calls}": calls for name, calls in fids}
    listed = "".join(f"- /nowhere/{name}\n" for name in names)
    (folder / "config.yaml").write_text(f"sets:\n{listed}")
    sets = dict(zip(names, fids.values(), strict=True))
    write_scores(folder / "scores.json", results(sets, **more))
    for name, calls in names.items() if told else ():
        samples(folder.parent / name, calls)
    return folder


FIDS = {
    ("meanflow", 1): 6.123456789012345,
    ("meanflow", 4): 5.012345678901234,
    ("flow", 1): 40.12345678901234,
    ("flow", 8): 2.0123456789012345,
}


def edit(path, change):
    """Rewrite a JSON file with what `change` returns of its content."""
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def renamed(scores, names):
    """Return the content of scores.json with other names of feature networks."""
    text = json.dumps(scores)
    for old, new in names.items():
        text = text.replace(f'"{old}', f'"{new}')
    return json.loads(text)


def sources_of(**keys):
    """Sources of some keys; those of studies by studies_NAME."""
    studies = {k.removeprefix("studies_"): str(v) for k, v in keys.items() if "studies_" in k}
    plain = {k: v for k, v in keys.items() if "studies_" not in k}
    plain = {k: tuple(map(str, v)) if isinstance(v, tuple) else str(v) for k, v in plain.items()}
    return Sources(PaperConfig(studies=Studies(**studies), **plain))


def toy(folder, arms=("d256-u", "d256-x", "r4-x"), calls=(1, 5), epochs=12, points=64):
    """Write a run of toy with losses and samples of some arms."""
    record(folder, "toy")
    chance = np.random.default_rng(0)
    (folder / "metrics.json").write_text(json.dumps({arm: {"distance_1": 0.1} for arm in arms}))
    for arm in arms:
        own = folder / "arms" / arm
        own.mkdir(parents=True, exist_ok=True)
        losses = [float(value) for value in 3 + chance.random(epochs)]
        (own / "metrics.json").write_text(json.dumps({"metrics": {}, "loss": losses}))
        arrays = {f"coordinates_{c}": chance.normal(size=(points, 4)) for c in calls}
        save_file({k: v.astype(np.float32) for k, v in arrays.items()}, own / "samples.safetensors")
    return folder


def cohort(folder, splits=("train", "val", "test", "test")):
    """Write a folder of prepared volumes, small and made of noise, one for each split."""
    chance = np.random.default_rng(0)
    rows = []
    folder.mkdir(parents=True, exist_ok=True)
    for number, split in enumerate(splits):
        name = f"sub-{number}"
        voxels = chance.random((16, 20, 16)).astype(np.float32)
        write_volume(folder / f"{name}.nii.gz", Volume(voxels, np.diag([2.0, 2.0, 2.0, 1.0])))
        row = dict.fromkeys(MANIFEST, "")
        rows.append(
            row | {"name": name, "subject": name, "split": split, "volume": f"{name}.nii.gz"}
        )
    write_table(folder / "manifest.csv", rows)
    return folder


def drawn_samples(folder, n=3, lesions=()):
    """Write a folder that generate wrote: n volumes; `lesions` are the voxels of each mask."""
    record(folder, "generate")
    chance = np.random.default_rng(0)
    for number in range(n):
        own = folder / f"sub-{number:05d}" / "anat"
        own.mkdir(parents=True)
        affine = np.diag([2.0, 2.0, 2.0, 1.0])
        voxels = chance.random((16, 20, 16)).astype(np.float32)
        stem = f"sub-{number:05d}_"
        write_volume(own / f"{stem}desc-generated_FLAIR.nii.gz", Volume(voxels, affine))
        if lesions:
            mask = np.zeros((16, 20, 16), np.float32)
            mask[4 : 4 + lesions[number], 5:8, 9] = 1
            path = own / f"{stem}label-lesion_desc-generated_mask.nii.gz"
            write_mask(path, Volume(mask, affine))
    return folder
