"""`neuromf encode`: prepared volumes to a latent store, shard by shard, resumable."""

from __future__ import annotations

import functools
import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neuromf.autoencoder.components import Component, image_of
from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.autoencoder.load import load_vae
from neuromf.autoencoder.mask_codes import load_mask_code
from neuromf.data.cohort import Entry, read_cohorts
from neuromf.data.volume import VolumeError
from neuromf.latents.grids import check_grids, one_shape, stored_shape
from neuromf.latents.lesions import (
    cached_code,
    count_left_out,
    encode_lesion,
    lesion_component,
    refuse_without_masks,
    with_lesion,
)
from neuromf.latents.posterior import encode_volumes
from neuromf.latents.shard import StoreError
from neuromf.latents.statistics import STATS, channel_table, latent_statistics
from neuromf.latents.store import (
    INDEX,
    STORE_FILES,
    LatentEntry,
    LatentStore,
    finished_shards,
    write_index,
    write_shard,
)
from neuromf.runtime.device import Precision, pick_device
from neuromf.runtime.fields import key
from neuromf.runtime.files import stop_if_disk
from neuromf.runtime.folders import Output
from neuromf.runtime.parallel import each
from neuromf.runtime.progress import progress
from neuromf.runtime.run import open_run
from neuromf.runtime.tables import REJECTED, write_table

log = logging.getLogger("neuromf")
OUTPUT = Output("encode", STORE_FILES)
# of an entry whose latent is there already
KEPT = ("crc32", "lesion_sha256", "lesion_ml", "lesion_centre")


@dataclass(frozen=True)
class EncodeConfig:
    """Which volumes, with which VAE, stored how."""

    volumes: Any = ""  # folders that prepare or phantom wrote, of one preset
    vae: str = "small"  # small, maisi, maisi-v2, a folder that train-vae wrote, a MAISI checkpoint
    # how lesion masks are coded, as a second component of the latents: distance, autoencoder,
    # average, or a folder that train-mask-autoencoder wrote; empty leaves masks out
    lesions: str = ""
    sigma: bool = False  # store the posterior's standard deviation beside its mean
    batch: int = 1  # volumes at once: more fill a large GPU, and need more of its memory
    shard: int = 64  # latents per shard; a killed run loses at most one shard per worker
    precision: Precision = "float32"
    # auto, cpu, mps, cuda, cuda:1; several workers share the GPUs in turn
    device: str = "auto"
    workers: int = key(1, free=True)  # processes; on a CPU one process uses every core

    def __post_init__(self) -> None:
        if min(self.batch, self.shard, self.workers) < 1:
            raise ValueError(
                f"batch {self.batch}, shard {self.shard}, workers {self.workers}: 1 or more"
            )
        if self.sigma and self.lesions:
            raise ValueError(
                f"sigma=true, lesions={self.lesions}: a mask has no posterior, so only latents of "
                "images have a standard deviation: leave out one of the two"
            )


class Job(NamedTuple):
    """The volumes of one shard, and the device to encode them on."""

    name: str
    entries: tuple[Entry, ...]
    device: str


class Encoded(NamedTuple):
    """The outcome of encoding a shard."""

    entries: list[LatentEntry]
    shape: tuple[int, ...]
    failed: list[tuple[Entry, str]]


def run(config: EncodeConfig, out: Path, *, resume: bool = False, overwrite: bool = False) -> int:
    """Encode every volume into the store `out` with index.json and stats.json; return the
    number that failed.
    """
    volumes = list({e.name: e for cohort in read_cohorts(config.volumes) for e in cohort}.values())
    check_grids(volumes)
    if config.lesions:
        refuse_without_masks(volumes)
    pick_device(config.device)
    components = components_of(config)  # refused before anything is made
    inputs = [config.volumes, config.vae, config.lesions]

    with open_run(out, config, OUTPUT, inputs, resume=resume, overwrite=overwrite):
        for stale in (out / INDEX, out / STATS):
            stale.unlink(missing_ok=True)  # a store without an index is not finished
        done, jobs = plan(out, volumes, components, config)
        failed: list[tuple[Entry, str]] = []
        shape = stored_shape(out, done)

        with progress("scans") as bar:
            task = bar.add_task("encode", total=len(volumes), completed=len(done))
            work = functools.partial(encode_shard, config=config, components=components, out=out)
            for job, outcome in each(work, jobs, config.workers):
                bar.advance(task, len(job.entries))
                if isinstance(outcome, Exception):
                    raise outcome
                done += outcome.entries
                failed += outcome.failed
                if outcome.shape:
                    shape = one_shape(shape, outcome.shape, job.entries[0].name)

        write_table(
            out / "rejected.csv",
            [{"path": str(e.path), "subject": e.subject, "reason": why} for e, why in failed],
            REJECTED,
        )
        if not done:
            raise VolumeError(
                f"none of {len(failed)} volumes could be encoded; the first: {failed[0][1]}"
            )

        write_index(out, components, shape, done, config.sigma)
        finish(out, len(failed))
        if not config.lesions and (left_out := count_left_out(volumes)):
            print(left_out)

    return len(failed)


def components_of(config: EncodeConfig) -> tuple[Component, ...]:
    """Return the components of the latents: the image, and the lesions if they are coded."""
    vae = load_vae(config.vae, "cpu")
    if not config.lesions:
        return image_of(vae.space)
    return (*image_of(vae.space), lesion_component(load_mask_code(config.lesions, vae)))


def finish(out: Path, failed: int) -> None:
    """Write the statistics of a store and print what it holds."""
    store = LatentStore(out)
    counts = {name: len(store.split(name)) for name in ("train", "val", "test")}
    shares = ", ".join(f"{count} {name}" for name, count in counts.items())
    coded = ", ".join(f" and {c.name} by {c.vae.name}" for c in store.components[1:])
    print(f"{len(store)} latents {store.shape} of {store.vae.name}{coded} in {out} ({shares})")
    if counts["train"]:
        stats = latent_statistics(store)
        stats.save(out)
        print(channel_table(stats))
    else:
        print("no training subject: stats.json is not written")

    if failed:
        print(f"{failed} failed: see {out / 'rejected.csv'}")


def plan(
    out: Path, volumes: Sequence[Entry], components: Sequence[Component], config: EncodeConfig
) -> tuple[list[LatentEntry], list[Job]]:
    """Return the latents that are already there, and the shards still to make.

    A latent counts if the SHA-256 of its volume, and of the lesion mask if that is coded, and the
    components are the same; its split is the volume's, even if that has changed.
    """
    finished = finished_shards(out, components)
    there = {e.name: e for entries in finished.values() for e in entries}
    done, left = [], []

    for volume in volumes:
        entry = there.get(volume.name)
        of_lesion = volume.lesion_sha256 if config.lesions else ""
        sources = (volume.record["sha256"], of_lesion)
        if entry is not None and (entry.volume_sha256, entry.lesion_sha256) == sources:
            kept = {k: getattr(entry, k) for k in KEPT}
            done.append(replace(latent_entry(volume, entry.shard), **kept))
        else:
            left.append(volume)

    free = (name for name in map("shard-{:05d}".format, itertools.count()) if name not in finished)
    device = pick_device(config.device)
    several = device.type == "cuda" and device.index is None and config.workers > 1
    names = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if several else [str(device)]
    parts = [tuple(left[i : i + config.shard]) for i in range(0, len(left), config.shard)]
    return done, [Job(next(free), part, names[i % len(names)]) for i, part in enumerate(parts)]


def encode_shard(
    job: Job, config: EncodeConfig, components: Sequence[Component], out: Path
) -> Encoded:
    """Encode the volumes of one shard and write it; volumes that fail are left out,
    with the reason.
    """
    vae = _vae(config.vae, job.device, config.precision, components[0].vae.sha256)
    code = cached_code(config.lesions, vae, components[1].vae.sha256) if config.lesions else None
    latents: list[tuple[LatentEntry, Tensor, Tensor | None]] = []
    failed: list[tuple[Entry, str]] = []

    parts = [job.entries[i : i + config.batch] for i in range(0, len(job.entries), config.batch)]
    encoded = itertools.chain.from_iterable(encode_volumes(vae, part) for part in parts)
    for volume, posterior in zip(job.entries, encoded, strict=True):
        try:
            entry = latent_entry(volume, job.name)
            mean, sigma = posterior()
            if code is not None:
                lesion = encode_lesion(code, volume)
                mean = torch.cat([mean, lesion.latent])
                entry = with_lesion(entry, volume, lesion)
        except (VolumeError, OSError) as error:
            stop_if_disk(error)
            failed.append((volume, str(error)))
            log.warning("%s failed: %s", volume.path, error)
            continue
        latents.append((entry, mean, sigma if config.sigma else None))

    shape: tuple[int, ...] = ()
    for entry, mean, _ in latents:
        shape = one_shape(shape, tuple(mean.shape), entry.name)
    entries = write_shard(out, job.name, components, latents) if latents else []
    return Encoded(entries, shape, failed)


def latent_entry(volume: Entry, shard: str) -> LatentEntry:
    """Return the index entry of a prepared volume."""
    record, place = volume.sidecar() | volume.record, volume.place()
    texts: dict[str, Any] = {
        k: str(record.get(k) or "")
        for k in (
            *("session", "dataset", "group", "age", "sex", "contrast", "site", "parent"),
            "lesion_kind",
        )
    }
    return LatentEntry(
        volume.name,
        volume.subject,
        volume.split,
        shard,
        volume_sha256=str(record["sha256"]),
        affine=place.affine,
        source_affine=place.source_affine,
        source_shape=place.source_shape,
        **texts,
    )


@functools.lru_cache(maxsize=2)
def _vae(name: str, device: str, precision: Precision, sha256: str) -> FrozenVAE:
    """Return the VAE whose fingerprint the index will name."""
    vae = load_vae(name, device, precision)
    if vae.space.sha256 != sha256:
        raise StoreError(
            f"vae={name} changed while encoding: is it still "
            "being trained? encode again with --resume"
        )
    return vae
