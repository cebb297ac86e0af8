"""What an evaluation works on: configuration, sets that were measured, reconstructions
of real volumes.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch

from neuromf.autoencoder.load import load_vae
from neuromf.data.splits import SPLITS
from neuromf.data.volume import Volume, VolumeError, write_volume
from neuromf.evaluation.sets import (
    Item,
    VolumeSet,
    frame_of,
    one_a_person,
    read_set,
    refuse_training,
    told_apart,
    vae_named_by,
)
from neuromf.features.cache import Cache, default_cache
from neuromf.features.extract import Features, Job, Measured, measure_sets, read_prepared
from neuromf.features.extractors import AUTO, RANDOM, check_extractor, choose_extractors
from neuromf.generation.generator import cleaned
from neuromf.runtime.device import explain_oom, pick_device
from neuromf.runtime.fields import key
from neuromf.runtime.folders import local_path
from neuromf.runtime.progress import progress
from neuromf.runtime.tables import write_table
from neuromf.segmentation.synthseg import SynthSegConfig

log = logging.getLogger("neuromf")
MOST = 100_000  # resampled sets, draws and pairs: more takes memory and says no more


@dataclass(frozen=True)
class Protocol:
    """How sets are judged: against whom, by what, with how many draws."""

    reference: str = ""  # held-out people: a folder of prepared volumes
    splits: tuple[str, ...] = ("test",)  # of the reference, where it is split
    real: str = ""  # a second set of real volumes for the bound; halves of the reference, if empty
    train: Any = ""  # what the model was trained on, folders: to look for copies
    # radimagenet and medicalnet50, untrained ones where their weights are not
    extractors: tuple[str, ...] = (AUTO,)
    # for the ceiling and latents; the one that the samples name, if empty; none for neither
    vae: str = ""
    morphology: Literal["tissue", "synthseg", "none"] = "tissue"
    synthseg: SynthSegConfig = field(default_factory=SynthSegConfig)
    n: int = key(0, free=True)  # volumes of a set at most, drawn at random; 0 is all
    pairs: int = 200  # of volumes that are compared voxel by voxel
    bootstrap: int = 200  # resampled sets
    draws: int = 10  # of smaller sets, for figures at equal numbers
    reconstructions: int = 100  # real volumes that the ceiling is taken from
    decode_memory_gb: float | None = None  # decode reconstructions in tiles
    resample: bool = False  # put samples of another size onto the reference's grid
    force: bool = False  # judge by training people all the same
    contrast: str = "T1w"  # of files in a BIDS tree
    cache: str = ""  # folder of features; ~/.cache/neuromf/features, if empty
    # 2/8: extract the features of every eighth volume alone, from the second on, and stop
    part: str = ""
    seed: int = 0
    device: str = "auto"  # of networks
    workers: int = key(0, free=True)  # processes on a CPU; 0 is one a core

    def __post_init__(self) -> None:
        strange = [s for s in self.splits if s not in SPLITS]
        if strange:
            raise ValueError(f"splits are {self.splits}: some of {', '.join(SPLITS)}")
        if (
            self.bootstrap < 2
            or self.draws < 1
            or self.pairs < 1
            or self.n < 0
            or self.reconstructions < 0
        ):
            raise ValueError(
                f"bootstrap {self.bootstrap}, draws {self.draws}, pairs {self.pairs}, n "
                f"{self.n}, reconstructions {self.reconstructions}: 2 or more, 1, 1, 0 and 0"
            )
        if max(self.bootstrap, self.draws, self.pairs) > MOST:
            raise ValueError(
                f"bootstrap {self.bootstrap}, draws "
                f"{self.draws}, pairs {self.pairs}: {MOST} at most"
            )
        if self.seed < 0 or self.workers < 0:
            raise ValueError(f"seed is {self.seed}, workers {self.workers}: 0 or more")
        if self.decode_memory_gb is not None and not 0 < self.decode_memory_gb < math.inf:
            raise ValueError(
                f"decode_memory_gb is {self.decode_memory_gb}: "
                "above 0, or null for decoding at once"
            )
        if not self.extractors:
            raise ValueError(
                "extractors is empty: auto, radimagenet, medicalnet50, random-2.5d, random-3d"
            )
        self.share()

    def share(self) -> tuple[int, int]:
        """Return (number, of how many) of `part`, (1, 1) if it is empty."""
        if not self.part:
            return 1, 1
        number, _, total = self.part.partition("/")
        if not (number.isdigit() and total.isdigit() and 1 <= int(number) <= int(total)):
            raise ValueError(f"part is {self.part!r}: 2/8, for example, the second of eight")
        return int(number), int(total)


def inputs(config: Protocol, sets: object) -> list[object]:
    """Return what an evaluation reads: folders, none of which its own output may be."""
    return [sets, config.reference, config.real, config.train, config.vae]


@dataclass
class Material:
    """One set, measured."""

    volumes: VolumeSet  # those that could be read
    features: Features
    sizes: dict[str, torch.Tensor] = field(default_factory=dict)  # region -> ml of each volume (N,)

    @property
    def name(self) -> str:
        """The name of the set."""
        return self.volumes.name

    def __len__(self) -> int:
        return len(self.volumes)

    def only(self, indices: Sequence[int]) -> Material:
        """Return the same of some of the volumes."""
        chosen = list(indices)
        volumes = VolumeSet(self.name, tuple(self.volumes.items[i] for i in chosen))
        return Material(
            volumes, self.features.only(chosen), {k: v[chosen] for k, v in self.sizes.items()}
        )


class Bench:
    """Measures sets, each file once, and remembers what could not be read."""

    def __init__(self, config: Protocol, out: Path, sets: Sequence[VolumeSet] = ()) -> None:
        if not config.reference:
            raise ValueError(
                "reference= names no folder: held-out people, as `neuromf prepare` wrote them"
            )
        config = replace(config, extractors=choose_extractors(config.extractors))
        for name in config.extractors:
            check_extractor(name)
        if config.morphology == "synthseg":
            config.synthseg.found()
        self.config, self.out = config, out
        self.device = pick_device(config.device)
        self.processes = config.workers or os.cpu_count() or 1
        self.workers = 1 if self.device.type == "cuda" else self.processes  # of those that measure
        self.notes: list[str] = []
        self.cache = Cache(local_path(config.cache) if config.cache else default_cache())
        self.cache.check()
        self._tell_untrained()
        self.reference = self.people(config.reference, "", config.splits)
        self.train = self._training_set()
        self.notes += refuse_training(self.reference, self.train, config.force)
        self.frame = frame_of(self.reference)
        self.rejected: list[dict[str, str]] = []
        self.vae = self._choose_vae(sets)

    def _tell_untrained(self) -> None:
        """Note, and say at once, which extractors are untrained networks."""
        names = [name for name in self.config.extractors if name in RANDOM]
        if names:
            self.notes.append(
                f"{', '.join(names)}: untrained networks. Their figures rank sets against each "
                "other on one machine and are not comparable with published ones; `neuromf "
                "weights get radimagenet` and `neuromf "
                "weights get medicalnet50` fetch trained ones"
            )
            log.warning("%s", self.notes[-1])

    def people(self, folder: str, name: str, splits: Sequence[str] = ()) -> VolumeSet:
        """Return a set of real people, one volume each."""
        found = read_set(folder, name, splits, self.config.contrast, people=True)
        volumes, more = one_a_person(found)
        if more:
            self.notes.append(
                f"{volumes.name}: {more} further scans of the same people are left out"
            )
        return volumes

    def _training_set(self) -> VolumeSet | None:
        given = (
            self.config.train
            if isinstance(self.config.train, list | tuple)
            else [self.config.train]
        )
        folders = [str(f) for f in given if f]
        sets = [read_set(f, contrast=self.config.contrast, people=True) for f in folders]
        items: list[Item] = [i for s in sets for i in s.items if i.split in {"train", ""}]
        if folders and not items:
            raise ValueError(f"train={self.config.train} holds no volume of the split train")
        return VolumeSet("training", told_apart(items)) if items else None

    def _choose_vae(self, sets: Sequence[VolumeSet]) -> str:
        """Return the VAE for ceiling and latents, empty for none; what samples
        name has to be what is at hand.
        """
        if self.config.vae == "none":
            return ""
        if self.config.vae:
            load_vae(self.config.vae)  # refused before hours of work
            return self.config.vae
        named = {found for found in map(vae_named_by, sets) if found[0]}
        if len(named) > 1:
            self.notes.append(
                "the sets were decoded by different VAEs "
                f"({', '.join(sorted(n for n, _ in named))}): vae= names one"
            )
            return ""
        for name, sha256 in sorted(named):
            try:
                if not sha256 or load_vae(name).sha256 == sha256:
                    return name
            except (ValueError, OSError) as error:
                log.info("%s", error)
            self.notes.append(
                f"the VAE that the samples name, {name}, is not at hand: vae=FOLDER gives it"
            )
        return ""

    def job(self, measures: Sequence[str]) -> Job:
        """Return what is done with each file."""
        return Job(tuple(measures), self.cache, str(self.device), self.frame, self.config.resample)

    def measure(self, volumes: VolumeSet, measures: Sequence[str]) -> Material:
        """Return a set with its measurements, as `measure_together` does."""
        return self.measure_together([(volumes, measures)])[0]

    def measure_together(self, sets: Sequence[tuple[VolumeSet, Sequence[str]]]) -> list[Material]:
        """Return sets with their measurements; files that cannot be read are left out and listed.

        Raises VolumeError where none of a set can.
        """
        number, total = self.config.share()
        parts = [
            (VolumeSet(s.name, s.items[number - 1 :: total]), self.job(measures))
            for s, measures in sets
        ]
        found = measure_sets(
            [(s.paths, job) for s, job in parts], self.workers, ", ".join(s.name for s, _ in parts)
        )
        return [
            self._material(s, job, *outcome) for (s, job), outcome in zip(parts, found, strict=True)
        ]

    def _material(
        self, volumes: VolumeSet, job: Job, found: list[Measured], failed: list[tuple[Path, str]]
    ) -> Material:
        """Return a set of the files that were measured; note the others."""
        self.rejected += [{"set": volumes.name, "path": str(p), "reason": why} for p, why in failed]
        if failed:
            self.notes.append(
                f"{volumes.name}: {len(failed)} of {len(volumes)} files were left out, see "
                f"rejected.csv (the first: {failed[0][1]})"
            )
            write_table(self.out / "rejected.csv", self.rejected)
        if not found and len(volumes):
            raise VolumeError(
                f"none of the {len(volumes)} files of {volumes.name} "
                f"can be used; the first: {failed[0][1]}"
            )
        there = {m.path for m in found}
        kept = VolumeSet(volumes.name, tuple(i for i in volumes.items if i.path in there))
        return Material(kept, Features(tuple(found), job))

    def reconstruct(self, real: Material, vae_name: str, measures: Sequence[str]) -> Material:
        """Return what the VAE makes of real volumes, as many as asked for, written to
        reconstructions/ and measured.
        """
        vae = load_vae(vae_name, self.device)
        folder = self.out / "reconstructions"
        folder.mkdir(exist_ok=True)
        items = []
        chosen = real.volumes.drawn(self.config.reconstructions, self.config.seed).items
        with progress("volumes") as bar:
            task = bar.add_task("reconstruct", total=len(chosen))
            for item in chosen:
                volume = read_prepared(item.path, real.features.job)
                with explain_oom(f"reconstructing {item.name}", "decode_memory_gb=4, or vae=none"):
                    z = vae.encode(torch.from_numpy(volume.voxels)[None, None])
                    voxels = cleaned(vae.decode(z, self.config.decode_memory_gb))
                path = folder / f"{item.name}.nii.gz"
                write_volume(path, Volume(voxels, volume.affine))
                items.append(Item(path, item.name, item.person))
                bar.advance(task)
        return self.measure(VolumeSet("reconstruction", tuple(items)), measures)

    def equal_files(self, one: Material, other: Material) -> int:
        """Return how many files of a set are in another too."""
        return len(
            {f.sha256 for f in one.features.files} & {f.sha256 for f in other.features.files}
        )

    def warn_of_equals(self, material: Material, reference: Material) -> None:
        """Note files that are in both sets."""
        shared = self.equal_files(material, reference)
        if shared:
            self.notes.append(
                f"{shared} files of {material.name} are identical to files of "
                "the reference: its figures are too good"
            )
            log.warning("%s", self.notes[-1])
