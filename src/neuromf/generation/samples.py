"""A folder of samples, laid out as a BIDS derivative: written volume by volume, resumable."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save

from neuromf import __version__
from neuromf.data import bids
from neuromf.data.pictures import pair_picture
from neuromf.data.reading import picture
from neuromf.data.volume import volume_sha256, write_mask, write_volume
from neuromf.generation.asked import NOTHING, Asked
from neuromf.generation.generator import Drawn
from neuromf.reporting.slices import contact_sheets
from neuromf.runtime.config import ConfigError
from neuromf.runtime.fields import flat
from neuromf.runtime.files import write_bytes, write_json, write_text
from neuromf.runtime.folders import COMMON
from neuromf.runtime.progress import progress
from neuromf.runtime.records import read_json_object

FILES = (
    "dataset_description.json",
    "README.md",
    "participants.tsv",
    ".bidsignore",
    "sub-*/anat/sub-*",
    "contact*.png",
)  # what is written, for the verb's Output
OF_A_FILE = ("Index", "Sha256")  # keys of a sidecar that differ from sample to sample
OF_A_LESION = ("LesionMl", "Lesions", "LesionsDropped", "LesionOutsideBrainMl", "LesionSha256")
SHOWN = 60  # samples on the contact sheet
NOT_BIDS = (*COMMON, "timing.json", "index.html", "contact*.png", "*_latent.safetensors")


@dataclass(frozen=True)
class SampleFolder:
    """Samples 0 to n - 1 in a folder."""

    folder: Path
    n: int
    suffix: str  # of the files' names, as BIDS has them
    # in the sidecar of every sample: everything that has to be equal to draw it again
    about: dict[str, Any]
    latents: bool = False  # write the latents too
    asked: Asked = NOTHING  # the conditions of each

    @property
    def paths(self) -> list[Path]:
        """The volumes' files, of which some may not be there yet."""
        return [sample_path(self.folder, index, self.suffix) for index in range(self.n)]

    def describe(self, name: str, author: str, description: str, readme: str) -> None:
        """Write what the folder says of itself: dataset_description.json, README.md and
        .bidsignore.
        """
        by = {"Name": "NeuroMF", "Version": __version__, "Description": description}
        about = {
            "Name": name,
            "BIDSVersion": bids.VERSION,
            "DatasetType": "derivative",
            "Authors": [author, "The NeuroMF developers"],
            "GeneratedBy": [by],
        }
        self.folder.mkdir(exist_ok=True)
        write_json(self.folder / "dataset_description.json", about)
        write_text(self.folder / "README.md", readme)
        write_text(self.folder / ".bidsignore", "\n".join(NOT_BIDS) + "\n")
        if self.asked.asks:
            write_text(self.folder / "participants.tsv", self.participants())

    def participants(self) -> str:
        """Return participants.tsv: what each sample was asked to be."""
        names = self.asked.conditions.names
        lines = ["\t".join(("participant_id", *names))]
        for number in range(self.n):
            values = self.asked.sidecar(number).get("Conditions", {})
            lines.append("\t".join([subject(number), *(str(values.get(n, "n/a")) for n in names)]))
        return "\n".join(lines) + "\n"

    def refuse_others(self) -> None:
        """Raise ConfigError if the folder holds samples that are not those of the resumed run: with
        higher numbers, or drawn from another model, or by another decoder or version.
        """
        pattern = f"sub-*/anat/sub-*_desc-generated_{self.suffix}.nii.gz"
        numbers = [int(p.name[4:9]) for p in self.folder.glob(pattern) if p.name[4:9].isdigit()]
        more = [number for number in numbers if number >= self.n]
        if more:
            raise ConfigError(
                f"{self.folder} holds samples up to {subject(max(more))}, n={self.n} asks for "
                f"fewer: n={max(more) + 1} keeps them, or choose another out=FOLDER"
            )
        for number in sorted(numbers):
            about, _ = read_sidecar(sample_path(self.folder, number, self.suffix))
            if about and (other := differences(about, self.about | self.asked.sidecar(number))):
                vae = " with decoder=" if other[0].startswith("VAE (") else ""
                raise ConfigError(
                    f"{self.folder} holds {subject(number)}, which was drawn with another "
                    f"{', another '.join(other)}: --resume adds what is drawn in the same way; "
                    f"give that again{vae}, or choose another out=FOLDER"
                )

    def missing(self) -> list[int]:
        """Return the numbers of the samples that are not there, or not whole."""
        masks = [lesion_path(self.folder, number) for number in range(self.n)]
        return [
            i
            for i, (path, mask) in enumerate(zip(self.paths, masks, strict=True))
            if not is_there(path, self.about | self.asked.sidecar(i), i, mask)
        ]

    def fill(
        self, numbers: Sequence[int], draw: Callable[[Sequence[int]], Iterable[Drawn]], task: str
    ) -> dict[str, float]:
        """Draw and write the samples of the given numbers; return the seconds that each part took.
        A sample is written while the next one is drawn. `task` names the progress bar.
        """
        spent = {"network": 0.0, "decode": 0.0, "write": 0.0, "total": 0.0}
        started = time.perf_counter()
        with progress("volumes") as bar, ThreadPoolExecutor(1) as writer:
            shown = bar.add_task(task, total=self.n, completed=self.n - len(numbers))
            pending: list[Future[float]] = []
            for drawn in draw(numbers):
                spent["network"] += drawn.network_seconds
                spent["decode"] += drawn.decode_seconds
                pending.append(writer.submit(self.write, drawn))
                if len(pending) > 4:  # drawing waits for a slow disk
                    spent["write"] += pending.pop(0).result()
                bar.advance(shown)
            spent["write"] += sum(future.result() for future in pending)

        spent["total"] = time.perf_counter() - started
        return {name: round(value, 4) for name, value in spent.items()}

    def write(self, drawn: Drawn) -> float:
        """Write a sample's volume, its latent if asked for, and then its sidecar, which marks it
        as complete; return the seconds it took.
        """
        started = time.perf_counter()
        path = sample_path(self.folder, drawn.number, self.suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_volume(path, drawn.volume)
        about = self.about | self.asked.sidecar(drawn.number)
        if drawn.lesion is not None:
            mask = lesion_path(self.folder, drawn.number)
            write_mask(mask, drawn.lesion.mask)
            about |= drawn.lesion.record() | {"LesionSha256": volume_sha256(mask)}
        if self.latents:
            latent = save({"latent": drawn.latent.contiguous()})
            write_bytes(with_ending(path, "_latent.safetensors"), latent)

        record = about | {"Index": drawn.number, "Sha256": volume_sha256(path)}
        write_json(with_ending(path, ".json"), record)
        return time.perf_counter() - started

    def show(self) -> None:
        """Write contact.png, three slices of each of the first samples."""
        shown = self.paths[:SHOWN]
        labels = [path.name.split("_")[0] for path in shown]
        masks = [lesion_path(self.folder, number) for number in range(len(shown))]
        drawn = (
            pair_picture(path, mask) if mask.is_file() else picture(path)
            for path, mask in zip(shown, masks, strict=True)
        )
        contact_sheets(self.folder, drawn, labels)


def is_there(path: Path, about: dict[str, Any], index: int, mask: Path | None = None) -> bool:
    """Return True if a sample, and its lesion mask if it has one, was completely written by the
    same model with the same settings.
    """
    written, own = read_sidecar(path)
    same = own.get("Index") == index and written == about
    if not same or not path.is_file() or own.get("Sha256") != volume_sha256(path):
        return False
    if "LesionSha256" not in own:
        return True
    return mask is not None and mask.is_file() and own["LesionSha256"] == volume_sha256(mask)


def read_sidecar(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the sidecar of a volume says of how it was drawn, and what it says of this
    sample alone; nothing where there is no sidecar, or a damaged one.
    """
    try:
        record = read_json_object(with_ending(path, ".json"))
    except (OSError, ValueError):
        return {}, {}
    own = {key: record.pop(key) for key in (*OF_A_FILE, *OF_A_LESION) if key in record}
    return record, own


def differences(written: dict[str, Any], about: dict[str, Any]) -> list[str]:
    """Return what differs between two sidecars, each as "VAE (small, now small-sharp)"; a checksum
    only where nothing that has a name differs.
    """
    was, now = dict(flat(written)), dict(flat(about))
    keys = [key for key in {**was, **now} if was.get(key) != now.get(key)]
    named = [key for key in keys if not key.endswith("Sha256") and key != "Description"]
    return [f"{key} ({was.get(key, 'none')}, now {now.get(key, 'none')})" for key in named or keys]


def sample_path(folder: Path, index: int, suffix: str) -> Path:
    """Return where a sample lies: sub-00017/anat/sub-00017_desc-generated_T1w.nii.gz."""
    name = subject(index)
    return folder / name / "anat" / f"{name}_desc-generated_{suffix}.nii.gz"


def lesion_path(folder: Path, index: int) -> Path:
    """Return where the lesion mask of a sample lies:
    sub-00017/anat/sub-00017_label-lesion_desc-generated_mask.nii.gz.
    """
    name = subject(index)
    return folder / name / "anat" / f"{name}_label-lesion_desc-generated_mask.nii.gz"


def subject(index: int) -> str:
    """Return what a sample is called: sub-00017."""
    return f"sub-{index:05d}"


def with_ending(path: Path, ending: str) -> Path:
    """Return the path with another ending in place of .nii.gz."""
    return path.with_name(path.name.removesuffix(".nii.gz") + ending)
