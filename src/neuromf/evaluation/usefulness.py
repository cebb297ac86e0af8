"""`neuromf usefulness`: whether pairs of image and lesion mask help to train a segmentation.

One network is trained on each kind of data (arm), tested on a real person who is left out, for
every person, several seeds and several numbers of real training people.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from neuromf.evaluation.lesion_pairs import LesionPair, read_pairs, refuse_other_grids
from neuromf.evaluation.lesion_segmentation import SegmentationConfig, segment, train
from neuromf.evaluation.mask_overlap import dice
from neuromf.evaluation.usefulness_table import Row, summarise, table
from neuromf.runtime.device import explain_oom, pick_device
from neuromf.runtime.fields import key
from neuromf.runtime.files import write_json
from neuromf.runtime.folders import Output
from neuromf.runtime.progress import clock, progress
from neuromf.runtime.randomness import Purpose, generator
from neuromf.runtime.records import as_record, read_json_object
from neuromf.runtime.run import open_run
from neuromf.runtime.tables import read_table, write_table

log = logging.getLogger("neuromf")
OUTPUT = Output("usefulness", ("trainings.csv", "sets.json", "usefulness.json"))
SOURCES = ("real", "generated", "simulated")
ARMS = ("real", "generated", "real+generated", "real+simulated")  # of those sets that are given
FEWEST = 3  # people: with two, one would be trained on alone
ORDER = 3  # of Purpose.SUBSETS: which real people a smaller set is of

Sets = Mapping[str, Sequence[LesionPair]]


@dataclass(frozen=True)
class UsefulnessConfig(SegmentationConfig):
    """Which sets of pairs, which trainings of them, and how each is made."""

    real: str = ""  # a folder that prepare wrote, with lesion masks
    generated: str = key("", free=True)  # a folder that generate wrote, of pairs
    simulated: str = key("", free=True)  # a folder that phantom lesions=... wrote
    # sets joined by +, real+generated for example; none: those of `ARMS` whose sets are given
    arms: tuple[str, ...] = key((), free=True)
    sizes: tuple[int, ...] = key((3, 6, 0), free=True)  # real training people; 0: all but one
    folds: tuple[int, ...] = key((), free=True)  # numbers of the people left out; none: everyone
    seeds: tuple[int, ...] = key((0, 1, 2), free=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("arms", "sizes", "folds", "seeds"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name} is {list(values)}: each once")
        if not self.sizes or not self.seeds or min((*self.sizes, *self.seeds, *self.folds)) < 0:
            raise ValueError("sizes and seeds: one or more each; and in folds too, nothing below 0")
        for arm in self.arms:
            parts = arm.split("+")
            if len(set(parts)) < len(parts) or not set(parts) <= set(SOURCES):
                raise ValueError(f"arm {arm!r}: {', '.join(SOURCES)}, or several joined by +")

    def chosen(self) -> tuple[str, ...]:
        """Return the arms. Raises ValueError where the set of one is not given."""
        given = {name for name in SOURCES if getattr(self, name)}
        missing = sorted({part for arm in self.arms for part in arm.split("+")} - given)
        if missing or "real" not in given:
            name = missing[0] if missing else "real"
            raise ValueError(f"{name}= is empty: {name}=FOLDER, of pairs of image and lesion mask")
        return self.arms or tuple(arm for arm in ARMS if set(arm.split("+")) <= given)


@dataclass(frozen=True)
class Training:
    """One training: a row of trainings.csv is what it gave."""

    arm: str
    size: int  # real people trained on; 0 in an arm without real pairs
    fold: int  # number of the person left out
    seed: int


def run(
    config: UsefulnessConfig, out: Path, *, resume: bool = False, overwrite: bool = False
) -> int:
    """Write trainings.csv, a row as each training ends, and usefulness.json into `out`, and print
    the table; return 0. A resumed run keeps the trainings that are there.
    """
    arms, device = config.chosen(), pick_device(config.device)
    sets = {name: read_pairs(getattr(config, name), name) for name in _named(arms)}
    refuse_other_grids(sets)
    people = people_of(sets["real"])
    plan = planned(config, arms, len(people))
    _refuse_patch(config.patch, sets["real"][0])

    folders = [getattr(config, name) for name in SOURCES]
    with open_run(out, config, OUTPUT, folders, resume=resume, overwrite=overwrite):
        _keep_sets(out / "sets.json", sets)
        rows = read_rows(out / "trainings.csv")
        done = {Training(r.arm, r.size, r.fold, r.seed) for r in rows}
        with progress("trainings") as bar:
            task = bar.add_task("usefulness", total=len(plan), completed=len(done & set(plan)))
            due = [training for training in plan if training not in done]
            for number, training in enumerate(due):
                rows.append(train_and_test(training, sets, people, config, device))
                write_table(out / "trainings.csv", [asdict(row) for row in rows])
                if number == 0:
                    left = clock(rows[-1].seconds * (len(due) - 1))
                    print(f"{len(due)} trainings; after the first, {left} are left", flush=True)
                bar.advance(task)

        wanted = set(plan)
        kept = [r for r in rows if Training(r.arm, r.size, r.fold, r.seed) in wanted]
        summary = summarise(kept, arms, sizes_of(config, len(people)))
        write_json(
            out / "usefulness.json", summary | {"pairs": {k: len(v) for k, v in sets.items()}}
        )
        print(table(summary))
    return 0


def people_of(real: Sequence[LesionPair]) -> list[str]:
    """Return the people of the real pairs, sorted: folds are numbers in this list.

    Raises ValueError for fewer than three, or for one whose masks are empty, whose Dice
    coefficient says nothing.
    """
    people = sorted({pair.person for pair in real} - {""})
    if len(people) < FEWEST or any(not pair.person for pair in real):
        raise ValueError(
            f"real: pairs of {len(people)} people, {FEWEST} or more are needed, from a folder that "
            "`neuromf prepare` wrote: one is left out, the others are trained on"
        )
    empty = [pair.name for pair in real if not bool(pair.lesion.any())]
    if empty:
        raise ValueError(f"real: the mask of {empty[0]} is empty: prepare the set without it")
    return people


def sizes_of(config: UsefulnessConfig, people: int) -> list[int]:
    """Return the numbers of real training people, ascending. Raises ValueError for too many."""
    most = people - 1
    if max(config.sizes) > most:
        few = sorted({size for size in config.sizes if size <= most} | {0})
        raise ValueError(
            f"sizes is {list(config.sizes)}: real= has {people} people, of whom {most} can be "
            f"trained on: sizes={few}"
        )
    return sorted({size or most for size in config.sizes})


def planned(config: UsefulnessConfig, arms: Sequence[str], people: int) -> list[Training]:
    """Return the trainings in order: the arms that are compared follow one another, and each seed
    is completed before the next, so that an interrupted study can be evaluated.
    """
    folds = config.folds or tuple(range(people))
    if max(folds) >= people:
        raise ValueError(f"folds is {list(folds)}: real= has people 0 to {people - 1}")
    largest_first = sizes_of(config, people)[::-1]
    found = [
        Training(arm, size if "real" in arm.split("+") else 0, fold, seed)
        for seed in config.seeds
        for size in largest_first
        for fold in folds
        for arm in arms
    ]
    return list(dict.fromkeys(found))  # an arm without real pairs is trained once for all sizes


def train_and_test(
    training: Training,
    sets: Sets,
    people: Sequence[str],
    config: SegmentationConfig,
    device: torch.device,
) -> Row:
    """Train a network, segment the scans of the person left out, and return the row."""
    started = time.perf_counter()
    sources = training_pairs(training, sets, people)
    with explain_oom("a training", "a smaller batch or patch"):
        network = train(sources, config, (training.seed, training.fold), device)
    tested = [pair for pair in sets["real"] if pair.person == people[training.fold]]
    found = [segment(network, pair, config.patch) for pair in tested]

    true = [pair.lesion.numpy() for pair in tested]
    ml = [float(np.prod(pair.spacing)) / 1000 for pair in tested]
    return Row(
        *(training.arm, training.size, training.fold, training.seed),
        person=people[training.fold],
        dice=round(float(np.mean([dice(f, t) for f, t in zip(found, true, strict=True)])), 6),
        found_ml=round(float(np.mean([f.sum() * v for f, v in zip(found, ml, strict=True)])), 4),
        true_ml=round(float(np.mean([t.sum() * v for t, v in zip(true, ml, strict=True)])), 4),
        seconds=round(time.perf_counter() - started, 1),
    )


def training_pairs(training: Training, sets: Sets, people: Sequence[str]) -> list[list[LesionPair]]:
    """Return the pairs of each source that a training sees. None is of the person left out, nor a
    simulated copy of theirs; and where real people are trained on, no copy of another real person
    either.

    The real people are drawn by fold and seed, the same for all arms; a smaller set is part of a
    larger one. Raises ValueError for a source of which nothing is left.
    """
    others = [name for number, name in enumerate(people) if number != training.fold]
    chance = generator(Purpose.SUBSETS, training.seed, ORDER, training.fold, 0)
    order = torch.randperm(len(others), generator=chance).tolist()
    seen = {others[i] for i in order[: training.size or len(others)]}
    unseen = set(people) - seen

    sources = []
    for name in training.arm.split("+"):
        pairs = [pair for pair in sets[name] if pair.person not in unseen]
        if not pairs:
            raise ValueError(
                f"{name}: all {len(sets[name])} pairs are copies of people who must not be trained "
                f"on when {people[training.fold]} is tested: draw them from other people"
            )
        sources.append(pairs)
    return sources


def read_rows(path: Path) -> list[Row]:
    """Return the rows of trainings.csv, none where there is no file. Raises RecordError for a
    damaged one.
    """
    if not path.is_file():
        return []
    _, rows = read_table(path)
    return [as_record(row, Row, str(path), "start with --overwrite", strict=False) for row in rows]


def _named(arms: Sequence[str]) -> Iterator[str]:
    """Yield the sets that are read: the real one always, others where an arm has them."""
    used = {part for arm in arms for part in arm.split("+")} | {"real"}
    yield from (name for name in SOURCES if name in used)


def _refuse_patch(side: int, pair: LesionPair) -> None:
    smallest = min(pair.image.shape)
    if side > smallest:
        raise ValueError(
            f"patch={side} is larger than volumes of {tuple(pair.image.shape)} voxels: "
            f"patch={smallest // 4 * 4}"
        )


def _keep_sets(path: Path, sets: Sets) -> None:
    """Write a fingerprint of each set. Raises ValueError if a set differs from the one that the
    trainings already there were made with.
    """
    known = read_json_object(path, "start with --overwrite") if path.is_file() else {}
    for name, pairs in sets.items():
        content = hashlib.sha256()
        for pair in pairs:
            content.update(f"{pair.name}\0{pair.person}\0".encode())
            content.update(pair.image.numpy().tobytes() + pair.lesion.numpy().tobytes())
        record = {"pairs": [pair.name for pair in pairs], "sha256": content.hexdigest()}
        if known.setdefault(name, record) != record:
            raise ValueError(
                f"{name}= holds other pairs than in the trainings that are there: give the same "
                "folder, or choose another out=FOLDER"
            )
    write_json(path, known)
