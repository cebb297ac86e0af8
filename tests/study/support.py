"""Small studies, and folders of studies written by hand, as `neuromf sweep` leaves them."""

import itertools
import json
from dataclasses import replace

import numpy as np

from evaluation.support import made_results, made_score
from neuromf.evaluation.results import write_scores
from neuromf.study.config import SweepConfig

ARM = "arms.r4-x"
QUICK = ["toy", "preset=quick", "only=[r4-x]", f"{ARM}.steps=2", f"{ARM}.samples=64"]


def quick_study(epochs=(1, 2), seeds=(0,), **more):
    """Return a study of trainings on the torus that take a second each."""
    return SweepConfig({"toy": QUICK}, {f"toy.{ARM}.epochs": list(epochs)}, seeds, **more)


def finished(folder, verb="toy", **files):
    """Write the folder of a finished run: run.json, config.yaml, and files by name."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {"verb": verb, "state": "finished", "seconds": 12.5, "versions": {"neuromf": "0"}}
    (folder / "run.json").write_text(json.dumps(record))
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def toy(folder, **metrics):
    """Write a finished toy study of one arm."""
    known = {"distance_1": 0.1, "distance_5": 0.05, "composition_residual": 0.2, "samples": 64}
    return finished(folder, metrics__json=json.dumps({"r4": known | metrics}))


def state(folder, name, **more):
    """Write where an arm stands."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state.json").write_text(json.dumps({"state": name, "attempt": 1} | more))


def make_study(folder, axes, seeds=(0, 1, 2), steps=None):
    """Write study.json of a full grid; return (name, group, seed, values) of each arm."""
    arms = []
    for labels, seed in itertools.product(itertools.product(*axes.values()), seeds):
        values = dict(zip(axes, labels, strict=True))
        group = "_".join(f"{a}-{v}" for a, v in values.items()) or "only"
        arms.append((f"{group}_seed-{seed}", group, seed, values))
    table = {
        "format": 1,
        "axes": list(axes),
        "seeds": list(seeds),
        "steps": steps or {"toy": "toy"},
        "arms": [
            {"name": name, "group": group, "seed": seed, "values": values}
            for name, group, seed, values in arms
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.json").write_text(json.dumps(table))
    return arms


def toy_study(folder, axes, seeds=(0, 1, 2), value=None):
    """Write a study of toys that have all finished; `value(values, seed)` is distance_1."""
    chance = np.random.default_rng(0)
    for name, _, seed, values in make_study(folder, axes, seeds):
        distance = value(values, seed) if value else float(chance.normal(1, 0.1))
        toy(folder / "arms" / name / "toy", distance_1=distance)
        state(folder / "arms" / name, "finished")
    return folder


def scored(folder, values, reference=22):
    """Write a finished evaluation with the given scores by key."""
    better = {"fid": "lower", "ssim": "none"}
    scores = [
        replace(made_score(key, value, value), better=better.get(key.rpartition("/")[2], "higher"))
        for key, value in values.items()
    ]
    results = made_results({"samples": scores})
    results = replace(results, reference=replace(results.reference, n=reference))
    finished(folder, "evaluate")
    write_scores(folder / "scores.json", results)
    return folder
