"""`neuromf phantom`: brains of real anatomy for machines without data, and deformed
copies of a cohort.

There are three sources: the MNI152 average and its tissue maps, a prepared cohort,
FreeSurfer label maps.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from neuromf.data.cohort import (
    COHORT_FILES,
    finish_cohort,
    read_cohort,
    save_entry,
    saved_record,
)
from neuromf.data.scan import Scan
from neuromf.data.scans import find_scans
from neuromf.data.volume import Volume, VolumeError, volume_sha256
from neuromf.phantoms.config import MNI, PhantomConfig, Source, Split
from neuromf.phantoms.draw import draw, from_labels, from_template, from_volume
from neuromf.phantoms.flair import NOTE
from neuromf.runtime.files import stop_if_disk
from neuromf.runtime.folders import Output, local_path
from neuromf.runtime.parallel import each
from neuromf.runtime.progress import progress
from neuromf.runtime.run import open_run

OUTPUT = Output("phantom", COHORT_FILES)
ABOUT = ("dataset", "group", "age", "sex")


def run(config: PhantomConfig, out: Path, *, resume: bool = False, overwrite: bool = False) -> int:
    """Write n phantoms into `out` as `prepare` writes volumes; return the number that failed."""
    sources = find_sources(config.source, config.people)
    with open_run(out, config, OUTPUT, [config.source], resume=resume, overwrite=overwrite):
        records, failed = [], []
        with progress("phantoms") as bar:
            task = bar.add_task("phantom", total=config.n)
            work = functools.partial(save_phantom, config=config, out=out)
            drawn = [(index, sources[index % len(sources)]) for index in range(config.n)]
            for (index, _), outcome in each(work, drawn, config.workers):
                bar.advance(task)
                stop_if_disk(outcome)
                if isinstance(outcome, Exception):
                    failed.append((index, outcome))
                else:
                    records.append(outcome)

        if not records:
            raise VolumeError(f"no phantom could be made; the first: {failed[0][1]}")
        finish_cohort(out, records, config.split)
        print(f"{len(records)} phantoms in {out}; look at {out / 'contact.png'}")
        if config.contrast == "FLAIR":
            print(f"their contrast is {NOTE}")
        if config.lesions != "none":
            total = sum(record["lesion_ml"] for record in records)
            print(
                f"with simulated lesions ({config.lesions}), {total / len(records):.1f} ml a brain "
                "on average; masks are NAME_lesion.nii.gz"
            )
        redrawn = sum(record["redrawn"] > 0 for record in records)
        cut = sum(record["cut"] for record in records)
        if redrawn:
            print(f"{redrawn} drawn again, because the box would have cut the brain")
        if cut:
            print(
                f"{cut} cut by the box all the same (`cut` in their .json): it is too small, or "
                "deformation too strong"
            )

        for index, error in failed:
            print(f"phantom {index} failed: {error}")

    return len(failed)


def find_sources(source: str, people: Split = "train") -> list[Source]:
    """Return the sources that phantoms are made of in turn; of a prepared cohort, the people of
    one split alone.

    Raises FileNotFoundError if there is none, ValueError where another source is to be copied by
    a split.
    """
    folder = local_path(source)
    cohort = source != MNI and (folder / "manifest.csv").is_file()
    if people != "train" and not cohort:
        raise ValueError(
            f"people={people} chooses among the people of a folder that prepare wrote, and "
            f"source={source} is none"
        )
    if source == MNI:
        return [Source("", "", {"dataset": MNI}, "", from_template)]
    if cohort:
        entries = [e for e in read_cohort(folder) if e.split == people]
        if not entries:
            raise FileNotFoundError(
                f"{folder} has nobody of the split {people} to copy: see its split.json"
            )
        return [
            Source(
                e.person,
                people,
                {k: e.record[k] for k in ABOUT},
                e.record["sha256"],
                functools.partial(from_volume, entry=e),
                e,
            )
            for e in entries
        ]

    return [
        Source(
            s.subject,
            "",
            {k: s.row()[k] for k in ABOUT},
            volume_sha256(Path(s.path)),
            functools.partial(from_labels, path=Path(s.path)),
        )
        for s in find_scans([source], label_maps=True)
    ]


def save_phantom(numbered: tuple[int, Source], config: PhantomConfig, out: Path) -> dict[str, Any]:
    """Draw and write one phantom of a source and return its record; an existing one is kept."""
    index, source = numbered
    subject = f"{source.parent}-copy{index:05d}" if source.parent else f"phantom{index:05d}"
    about = source.about
    if config.contrast == "FLAIR":
        subject += "-flairlike"
        about = about | {"contrast": "FLAIR-like"}
    if config.lesions != "none":
        subject += f"-simulated-{config.lesions}"

    scan = Scan(source.parent or MNI, subject, **about)
    kinds: dict[str, type] = {"redrawn": int, "cut": bool}
    if config.lesions != "none":
        kinds |= {"lesion_sha256": str, "lesion_ml": float}
    known = saved_record(out, scan.name, kinds)
    if known and known.get("source_sha256") == source.sha256:
        return known | scan.row() | {"parent": source.parent, "split": source.split}

    volume, redrawn, cut, lesion = draw(source, index, config)
    notes = ["the box cuts the brain"] if cut else []
    record = {
        "parent": source.parent,
        "source_sha256": source.sha256,
        "split": source.split,
        "seed": [config.seed, index],
        "affine": volume.affine.tolist(),
        "source_affine": volume.affine.tolist(),
        "source_shape": list(volume.voxels.shape),
        "shape": list(volume.voxels.shape),
        "redrawn": redrawn,
        "cut": cut,
        "notes": [*notes, NOTE] if config.contrast == "FLAIR" else notes,
    }
    if not lesion:
        return save_entry(out, scan, volume, record)
    record |= {f"lesion_{key}": value for key, value in lesion.facts.items()}
    mask = Volume(lesion.mask.astype(np.float32), lesion.volume.affine)
    return save_entry(out, scan, volume, record, mask)
