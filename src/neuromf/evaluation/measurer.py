"""Measure the sets of an evaluation, and reconstruct real volumes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import torch

from neuromf.autoencoder.load import load_vae
from neuromf.data.volume import Volume, VolumeError, write_volume
from neuromf.evaluation.config import EvaluationConfig
from neuromf.evaluation.measured import MeasuredSet, MeasuredSets
from neuromf.evaluation.points import Extractor
from neuromf.evaluation.sets import (
    Item,
    VolumeSet,
    frame_of,
    of_people_in,
    one_a_person,
    read_set,
    refuse_training,
    vae_named_by,
    with_unique_names,
)
from neuromf.features.cache import Cache, default_cache
from neuromf.features.extract import Features, Job, Measured, measure_sets, read_prepared
from neuromf.features.extractors import (
    RANDOM,
    check_extractor,
    choose_extractors,
    load_measure,
)
from neuromf.features.measure import Measure
from neuromf.generation.decoding import cleaned
from neuromf.runtime.device import explain_oom, pick_device
from neuromf.runtime.folders import local_path
from neuromf.runtime.parallel import cores
from neuromf.runtime.progress import progress
from neuromf.runtime.tables import write_table

log = logging.getLogger("neuromf")


class Measurer:
    """Measures sets, each file once, and remembers what could not be read."""

    def __init__(self, config: EvaluationConfig, out: Path, sets: Sequence[VolumeSet] = ()) -> None:
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
        self.processes = config.workers or cores()
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

    @cached_property
    def extractors(self) -> tuple[Extractor, ...]:
        """The feature networks, resolved once."""
        names = self.config.extractors
        return tuple(Extractor(name, load_measure(name, str(self.device))) for name in names)

    @cached_property
    def latents(self) -> Measure | None:
        """The measure of latents, None without a VAE."""
        return load_measure(f"latents:{self.vae}", str(self.device)) if self.vae else None

    @property
    def measures(self) -> tuple[str, ...]:
        """The names of all that is measured of each volume."""
        names = [*self.config.extractors, "voxels", "spectrum"]
        names += ["tissue"] if self.config.morphology == "tissue" else []
        names += [f"latents:{self.vae}"] if self.vae else []
        return tuple(names)

    def _tell_untrained(self) -> None:
        """Note, and say at once, which extractors are untrained networks."""
        names = [name for name in self.config.extractors if name in RANDOM]
        if names:
            self.notes.append(
                f"{', '.join(names)}: untrained networks. Their metrics rank sets against each "
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
        return VolumeSet("training", with_unique_names(items)) if items else None

    def _choose_vae(self, sets: Sequence[VolumeSet]) -> str:
        """Return the VAE for reconstructions and latents, empty for none; one that samples
        name is taken only if the VAE at hand has its fingerprint.
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

    def measure(self, volumes: VolumeSet, measures: Sequence[str]) -> MeasuredSet:
        """Return a set with its measurements, as `measure_together` does."""
        return self.measure_together([(volumes, measures)])[0]

    def measure_together(
        self, sets: Sequence[tuple[VolumeSet, Sequence[str]]]
    ) -> list[MeasuredSet]:
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
            self._readable(s, job, *outcome) for (s, job), outcome in zip(parts, found, strict=True)
        ]

    def _readable(
        self, volumes: VolumeSet, job: Job, found: list[Measured], failed: list[tuple[Path, str]]
    ) -> MeasuredSet:
        """Return a set of the files that were measured; note the others."""
        self.reject(volumes.name, failed, f"of {len(volumes)} files were left out")
        if not found and len(volumes):
            raise VolumeError(
                f"none of the {len(volumes)} files of {volumes.name} "
                f"can be used; the first: {failed[0][1]}"
            )

        there = {m.path for m in found}
        kept = VolumeSet(volumes.name, tuple(i for i in volumes.items if i.path in there))
        return MeasuredSet(kept, Features(tuple(found), job))

    def reject(self, name: str, failed: Sequence[tuple[Path, str]], what: str) -> None:
        """Note, and list in rejected.csv, files that could not be used and why."""
        if not failed:
            return
        self.rejected += [{"set": name, "path": str(p), "reason": why} for p, why in failed]
        self.notes.append(
            f"{name}: {len(failed)} {what}, see rejected.csv (the first: {failed[0][1]})"
        )
        write_table(self.out / "rejected.csv", self.rejected)

    def measure_sets(self, sets: Sequence[VolumeSet]) -> MeasuredSets:
        """Return sets of samples, people and training data, measured; reconstructions are not yet
        there. All go through the same processes.
        """
        config = self.config
        people = [self.reference, *([self.second_real_set()] if config.real else [])]
        training = [self.train] if self.train is not None else []
        found = self.measure_together(
            [
                *((s.drawn(config.n, config.seed), self.measures) for s in sets),
                *((s, self.measures) for s in people),
                *((s, (config.extractors[0], "voxels")) for s in training),
            ]
        )

        reference, *others = found[len(sets) :]
        train = others.pop() if training else None
        real = others.pop() if others else None
        return MeasuredSets(found[: len(sets)], reference, real, train)

    def second_real_set(self) -> VolumeSet:
        """Return the second real set, under that name. Raises ValueError for people of the
        reference.
        """
        found = self.people(self.config.real, "real")
        shared = of_people_in(found.items, self.reference.items)
        if shared:
            raise ValueError(
                f"real={self.config.real} holds {len(shared)} volumes of people of the reference "
                f"({shared[0].name} first): a real-vs-real reference needs other people; if "
                "they are, of another data set, prepare both with their dataset="
            )
        return found

    def reconstruct(self, real: MeasuredSet) -> MeasuredSet:
        """Return what the VAE makes of real volumes, as many as asked for, written to
        reconstructions/ and measured.
        """
        vae = load_vae(self.vae, self.device)
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
                items.append(Item(path, item.name, item.person, dataset=item.dataset))
                bar.advance(task)

        return self.measure(VolumeSet("reconstruction", tuple(items)), self.measures)
