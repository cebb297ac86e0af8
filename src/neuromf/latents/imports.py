"""`neuromf import-latents`: latents that other code saved as .pt files, into a store."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from neuromf.autoencoder.components import image_of
from neuromf.autoencoder.frozen import LatentSpace
from neuromf.data.splits import SPLITS, Split, SplitConfig, split_subjects
from neuromf.latents.encode import finish
from neuromf.latents.shard import StoreError
from neuromf.latents.store import STORE_FILES, LatentEntry, write_index, write_shard
from neuromf.pretrained.statedict import plain, read_pickle
from neuromf.runtime.folders import Output, local_path
from neuromf.runtime.run import open_run
from neuromf.runtime.tables import REJECTED, write_table

OUTPUT = Output("import-latents", STORE_FILES)
TEXTS = ("session", "dataset", "group", "age", "sex", "contrast")


@dataclass(frozen=True)
class ImportConfig:
    """Where the .pt files are, and what is known about the VAE that made them."""

    files: str = ""  # a folder of .pt files, each a dictionary with `z` (C, D, H, W) and `metadata`
    vae: str = ""  # the name of the VAE, for example maisi-v1
    vae_sha256: str = ""  # its fingerprint, if known
    factor: int = 4
    split: SplitConfig = field(default_factory=SplitConfig)
    shard: int = 64

    def __post_init__(self) -> None:
        if self.shard < 1 or self.factor < 1:
            raise ValueError(f"shard {self.shard}, factor {self.factor}: 1 or more")


def run(config: ImportConfig, out: Path, *, resume: bool = False, overwrite: bool = False) -> int:
    """Copy the latents into a store and return the number of files that could not be used,
    see rejected.csv.

    `subject` and `split` in a file's metadata are kept; without them the file's name is the
    subject (see `names_of`), and its split is drawn.
    """
    if not config.vae:
        raise ValueError(
            "vae= is empty: name the VAE that made the latents, so "
            "that they are decoded with the same one"
        )

    folder = local_path(config.files)
    files = (
        sorted(folder.glob("*.pt") if folder.is_dir() else map(Path, glob.glob(str(folder))))
        if config.files
        else []
    )
    if not files:
        raise FileNotFoundError(f"files={config.files}: a folder or glob of .pt files is needed")
    names = names_of(files)
    with open_run(out, config, OUTPUT, [config.files, files], resume=resume, overwrite=overwrite):
        rejected: list[dict[str, str]] = []
        given: dict[str, Split] = {}
        shapes: dict[Path, tuple[int, ...]] = {}
        people: dict[Path, str] = {}
        strata: dict[str, str] = {}

        for path in files:  # one at a time: together they may be larger than the memory
            try:
                z, metadata = read_pt(path)
                if shapes and tuple(z.shape) != next(iter(shapes.values())):
                    raise StoreError(
                        f"{path}: shape {tuple(z.shape)}, others have {next(iter(shapes.values()))}"
                    )
            except (ValueError, OSError) as error:
                rejected.append({"path": str(path), "subject": "", "reason": str(error)})
                continue

            shapes[path] = tuple(z.shape)
            people[path] = str(metadata.get("subject") or metadata.get("subject_id") or names[path])
            strata[people[path]] = f"{metadata.get('dataset', '')}/{metadata.get('group', '')}"
            if metadata.get("split") in SPLITS:
                given.setdefault(people[path], metadata["split"])

        write_table(out / "rejected.csv", rejected, REJECTED)
        if not shapes:
            raise StoreError(
                f"none of {len(files)} files could be read; the first: {rejected[0]['reason']}"
            )

        files, shape = list(shapes), next(iter(shapes.values()))
        splits = split_subjects(strata, config.split, given)
        vae = LatentSpace(config.vae, config.vae_sha256, shape[0], config.factor)
        components = image_of(vae)
        entries = []

        for start in range(0, len(files), config.shard):
            name = f"shard-{start // config.shard:05d}"
            part: list[tuple[LatentEntry, Tensor, Tensor | None]] = []
            for path in files[start : start + config.shard]:
                z, metadata = read_pt(path)
                who, split = people[path], splits[people[path]]
                part.append((_entry(path, names[path], who, split, name, metadata), z, None))
            entries += write_shard(out, name, components, part)

        write_index(out, components, shape, entries, sigma=False)
        finish(out, len(rejected))

    return len(rejected)


def names_of(files: Sequence[Path]) -> dict[Path, str]:
    """Return what each file is called in the store: as the file, or, where two files have one name,
    with the folders that they do not share. Raises ValueError where two are called the same still.
    """
    if len({path.stem for path in files}) == len(files):
        return {path: path.stem for path in files}
    top = os.path.commonpath([path.absolute().parent for path in files])
    named: dict[str, Path] = {}
    for path in files:
        name = "_".join(path.absolute().relative_to(top).with_suffix("").parts)
        if name in named:
            raise ValueError(f"{named[name]} and {path} would both be called {name}: rename one")
        named[name] = path
    return {path: name for name, path in named.items()}


def read_pt(path: Path) -> tuple[Tensor, dict[str, Any]]:
    """Return the latent (C, D, H, W) and the metadata in a .pt file, read without running code."""
    content = read_pickle(path)
    z = content.get("z") if isinstance(content, dict) else None
    if not isinstance(z, Tensor):
        raise StoreError(f"{path}: a dictionary with a tensor `z` is needed")
    z = plain(z).float()
    z = z[0] if z.ndim == 5 and len(z) == 1 else z
    if z.ndim != 4 or not torch.isfinite(z).all():
        raise StoreError(
            f"{path}: z of shape {tuple(z.shape)}: (C, D, H, W), all finite, is needed"
        )

    metadata = content.get("metadata")
    return z, metadata if isinstance(metadata, dict) else {}


def _entry(
    path: Path, name: str, subject: str, split: str, shard: str, metadata: dict[str, Any]
) -> LatentEntry:
    texts: dict[str, Any] = {k: str(metadata.get(k) or "") for k in TEXTS}
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return LatentEntry(name, subject, split, shard, volume_sha256=sha256, **texts)
