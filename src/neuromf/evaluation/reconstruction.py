"""`neuromf validate-vae`: reconstruct held-out volumes with any VAE, measure, and lay
them side by side.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from neuromf.autoencoder.frozen import FrozenVAE, check_space
from neuromf.autoencoder.load import load_vae
from neuromf.data.cohort import Entry, read_cohorts
from neuromf.data.reading import read_volume
from neuromf.data.splits import SPLITS
from neuromf.data.volume import Volume, VolumeError, write_volume
from neuromf.evaluation.reconstruction_score import MEASURES, Score, measure, summarise, telling
from neuromf.latents import LatentStore
from neuromf.reporting.page import render
from neuromf.reporting.slices import Picture, grey, slices
from neuromf.reporting.viewer import Shown, needed, shown, viewer
from neuromf.runtime.device import Precision, explain_oom, pick_device
from neuromf.runtime.fields import key
from neuromf.runtime.files import write_json, write_text
from neuromf.runtime.folders import Output
from neuromf.runtime.progress import progress
from neuromf.runtime.run import open_run

log = logging.getLogger("neuromf")
OUTPUT = Output("validate-vae", ("scores.json", "index.html", "reconstructions/*.nii.gz"))
SHOWN = 24  # volumes on the page
DIFFERENCE = 0.2  # the differences are drawn from minus this to plus this


@dataclass(frozen=True)
class ValidateVAEConfig:
    """Which volumes, with which VAE."""

    volumes: Any = ""  # folders that prepare or phantom wrote
    splits: tuple[str, ...] = ("val", "test")
    vae: str = "small"
    decoder: str = ""  # a VAE or decoder of the same latent space; the VAE's own, if empty
    latents: str = ""  # a latent store: decode what it holds, rather than encode again
    n: int = key(0, free=True)  # volumes at most; 0 is all
    max_memory_gb: float | None = None  # decode in tiles
    precision: Precision = "float32"
    device: str = "auto"
    save: bool = True  # write the reconstructions as NIfTI

    def __post_init__(self) -> None:
        strange = [s for s in self.splits if s not in SPLITS]
        if strange or not self.splits:
            raise ValueError(f"splits are {self.splits}: some of {', '.join(SPLITS)}")
        if self.n < 0:
            raise ValueError(f"n is {self.n}: volumes at most, 0 is all")

    def entries(self) -> list[Entry]:
        """Return the volumes of the chosen splits. Raises ValueError where there is none."""
        entries = [
            e for cohort in read_cohorts(self.volumes) for e in cohort if e.split in self.splits
        ]
        if not entries:
            raise ValueError(
                f"no volume of {self.volumes} is in the splits {', '.join(self.splits)}: "
                "splits=[train], perhaps"
            )
        return entries[: self.n or None]


def run(
    config: ValidateVAEConfig, out: Path, *, resume: bool = False, overwrite: bool = False
) -> int:
    """Write scores.json, index.html and reconstructions/ into `out`; return the
    number of volumes that failed.
    """
    entries = config.entries()
    device = pick_device(config.device)
    vae = load_vae(config.vae, device, config.precision, config.decoder)
    store = LatentStore(config.latents) if config.latents else None
    if store is not None:
        made = f"latents={config.latents} were made by"
        check_space(vae, store.vae, made, "give that VAE, or encode again")

    inputs = [config.volumes, config.vae, config.decoder, config.latents]

    with open_run(out, config, OUTPUT, inputs, resume=resume, overwrite=overwrite):
        (out / "reconstructions").mkdir(exist_ok=True)
        scores: list[Score] = []
        failed: list[str] = []
        rows: list[dict[str, Any]] = []
        bf16: dict[str, float] = {}

        with progress("volumes") as bar:
            task = bar.add_task("validate-vae", total=len(entries))
            for entry in entries:
                try:
                    x, y, seconds = reconstruct(vae, entry, store, config)
                except (ValueError, OSError) as error:
                    failed.append(f"{entry.name}: {error}")
                    log.warning("%s", failed[-1])
                    continue
                finally:
                    bar.advance(task)

                scores.append(
                    measure(
                        entry.name, torch.from_numpy(x.voxels), torch.from_numpy(y.voxels), seconds
                    )
                )
                if config.save:
                    write_volume(out / "reconstructions" / f"{entry.name}.nii.gz", y)
                if len(scores) == 1 and config.precision == "float32":
                    bf16 = compare_bf16(config, x, y)
                if len(rows) < SHOWN:
                    rows.append({"score": scores[-1], "split": entry.split} | pictures(x, y))

        if not scores:
            raise VolumeError(
                f"none of {len(failed)} volumes could be reconstructed; the first: {failed[0]}"
            )

        summary = summarise(vae, scores) | {"bfloat16": bf16, "failed": failed}
        write_json(out / "scores.json", summary)
        by_name = {entry.name: entry for entry in entries}
        chosen = [by_name[name] for name in telling(scores)]
        volumes = [s for entry in chosen for s in both(vae, entry, store, config, out)]
        write_text(out / "index.html", page(out, config, summary, rows, volumes))
        say(summary, out)

    return len(failed)


def reconstruct(
    vae: FrozenVAE, entry: Entry, store: LatentStore | None, config: ValidateVAEConfig
) -> tuple[Volume, Volume, float]:
    """Return a volume, what the VAE makes of it, and the seconds that took."""
    volume = entry.read()
    x = torch.from_numpy(volume.voxels)[None, None]
    start = time.perf_counter()

    with explain_oom(
        f"reconstructing {entry.name}", "max_memory_gb=4, precision=bfloat16 or vae=small"
    ):
        z = vae.encode(x) if store is None else stored(store, entry.name)[None]
        y = vae.decode(z, config.max_memory_gb)

    voxels = y[0, 0].clamp(0, 1).cpu().numpy()
    if voxels.shape != volume.voxels.shape:
        raise ValueError(
            f"its latent decodes to {voxels.shape}, the volume has "
            f"{volume.voxels.shape}: are they of one preset?"
        )

    return volume, Volume(voxels, volume.affine), time.perf_counter() - start


def stored(store: LatentStore, name: str) -> Tensor:
    """Return a stored latent by its name."""
    for index, entry in enumerate(store.entries):
        if entry.name == name:
            return store[index]
    raise ValueError(f"{store.location} holds no latent of {name}")


def both(
    vae: FrozenVAE, entry: Entry, store: LatentStore | None, config: ValidateVAEConfig, out: Path
) -> list[Shown]:
    """Return a volume and its reconstruction for the viewer: the file, if it was saved."""
    saved = out / "reconstructions" / f"{entry.name}.nii.gz"
    if config.save:
        x, y = entry.read(), read_volume(saved)
    else:
        x, y, _ = reconstruct(vae, entry, store, config)
    return [shown(f"{entry.name}: original", x), shown(f"{entry.name}: reconstruction", y)]


def compare_bf16(config: ValidateVAEConfig, x: Volume, y: Volume) -> dict[str, float]:
    """Return how far the reconstruction of a volume in bfloat16 lies from the one in
    float32, and its NaN or Inf.
    """
    vae = load_vae(config.vae, pick_device(config.device), "bfloat16", config.decoder)
    with explain_oom("reconstructing in bfloat16", "max_memory_gb=4 or vae=small"):
        z = vae.encode(torch.from_numpy(x.voxels)[None, None])
        decoded = vae.decode(z, config.max_memory_gb)[0, 0].cpu()
    broken = int((~torch.isfinite(decoded)).sum() + (~torch.isfinite(z)).sum())
    apart = (decoded.nan_to_num().clamp(0, 1) - torch.from_numpy(y.voxels)).abs()
    return {"mean": float(apart.mean()), "max": float(apart.max()), "not_finite": broken}


def pictures(x: Volume, y: Volume) -> dict[str, Picture]:
    """Return slices of original, reconstruction and difference, every second voxel and so on where
    a volume is large.
    """
    step = max(1, x.voxels.shape[0] // 96)
    a, b = x.voxels[::step, ::step, ::step], y.voxels[::step, ::step, ::step]
    return {
        "original": slices(a),
        "reconstruction": slices(b),
        "difference": grey(slices(b - a, low=-DIFFERENCE, high=DIFFERENCE), 0, 255),
    }


def page(
    out: Path,
    config: ValidateVAEConfig,
    summary: dict[str, Any],
    rows: Sequence[dict[str, Any]],
    volumes: Sequence[Shown] = (),
) -> str:
    """Return the HTML page of the run in `out`."""
    return render(
        "neuromf.evaluation",
        "reconstruction.html",
        title=f"Reconstructions of {summary['vae']}",
        run=out,
        config=config,
        summary=summary,
        rows=rows,
        measures=MEASURES,
        span=DIFFERENCE,
        viewer=viewer(volumes),
        **needed(volumes),
    )


def say(summary: dict[str, Any], out: Path) -> None:
    """Print the summary."""
    for name in MEASURES:
        row = summary["mean"][name]
        print(
            f"{name:11} mean {row['mean']:8.4f}  std {row['std']:.4f}  min "
            f"{row['min']:.4f}  max {row['max']:.4f}"
        )
    print(f"{summary['volumes']} volumes through {summary['vae']}; look at {out / 'index.html'}")
    if summary["failed"]:
        print(f"{len(summary['failed'])} failed; the first: {summary['failed'][0]}")
