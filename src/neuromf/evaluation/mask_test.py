"""`neuromf mask-test`: lesion masks through several mask codes and back, and the code to take."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuromf.autoencoder.load import load_vae
from neuromf.autoencoder.mask_codes import MaskCode, load_mask_code
from neuromf.data.volume import VolumeError, stems
from neuromf.evaluation.mask_pictures import draw, spread_over_sizes
from neuromf.evaluation.mask_reading import LesionMask, mask_files, read_mask
from neuromf.evaluation.mask_scores import Score, by_size, means, pieces_by_size, round_trip
from neuromf.runtime.device import Precision, pick_device
from neuromf.runtime.files import write_json
from neuromf.runtime.folders import Output
from neuromf.runtime.progress import progress
from neuromf.runtime.run import open_run

log = logging.getLogger("neuromf")
OUTPUT = Output("mask-test", ("mask_vae_test.json", "round_trips.png"))
SHOWN = 6  # masks in the picture
# Mean Dice with which a code is good enough; below it masks would be downsampled instead.
ENOUGH = 0.85

RULE = (
    "chosen: the code with the largest mean of the mean Dice coefficients of the groups of sizes; "
    f"enough: whether its mean Dice over all masks is above {ENOUGH}"
)


@dataclass(frozen=True)
class MaskTestConfig:
    """Which masks, through which codes."""

    # masks (NIfTI), patterns, folders of masks, folders that prepare wrote; one or a list
    masks: Any = ""
    vae: str = "small"  # of the image, whose factor the codes have
    # see docs/joint.md: distance, distance:MM, binary, partial, average, autoencoder, a folder
    codes: tuple[str, ...] = ("distance", "average", "autoencoder")
    spacing: float = 2.0  # mm, of the grid that masks are brought to
    # standard deviation of noise on latents, for dice_noisy, in units of their own at lesions
    noise: float = 0.2
    precision: Precision = "float32"
    device: str = "auto"

    def __post_init__(self) -> None:
        if not self.codes or len(set(self.codes)) < len(self.codes):
            raise ValueError(f"codes are {list(self.codes)}: one or more, each once")
        if not 0.2 <= self.spacing <= 10 or not 0 <= self.noise < 10:
            raise ValueError(
                f"spacing {self.spacing}, noise {self.noise}: spacing is 0.2 to 10 mm, noise 0 or "
                "more"
            )


def run(config: MaskTestConfig, out: Path, *, resume: bool = False, overwrite: bool = False) -> int:
    """Write mask_vae_test.json and round_trips.png into `out`, print a table, and return how many
    files could not be used.
    """
    files = mask_files(config.masks)
    device = pick_device(config.device)
    vae = load_vae(config.vae, device, config.precision)
    codes = {name: load_mask_code(name, vae, device, config.precision) for name in config.codes}

    with open_run(out, config, OUTPUT, [config.masks], resume=resume, overwrite=overwrite):
        masks, failed = read_all(files, config.spacing, vae.factor)
        scores, found = measure(codes, masks, config.noise)

        summary = summarise(config, codes, scores)
        summary |= {"original_ml": {m.name: m.original_ml for m in masks}, "failed": failed}
        write_json(out / "mask_vae_test.json", summary)
        shown = spread_over_sizes(masks, SHOWN)
        draw(out / "round_trips.png", [(masks[i], found[i]) for i in shown])
        print(table(summary))
        print(f"{len(masks)} masks; look at {out / 'round_trips.png'}")
    return len(failed)


def read_all(
    files: Sequence[Path], spacing: float, factor: int
) -> tuple[list[LesionMask], list[str]]:
    """Return the masks of files, and why the others cannot be used. Raises VolumeError where none
    can.
    """
    masks, failed = [], []
    for path, name in zip(files, stems(files), strict=True):
        try:
            masks.append(read_mask(path, name, spacing, factor))
        except (ValueError, OSError) as error:
            failed.append(str(error))
            log.warning("%s", error)
    if not masks:
        raise VolumeError(f"none of {len(failed)} masks can be used; the first: {failed[0]}")
    return masks, failed


def measure(
    codes: Mapping[str, MaskCode], masks: Sequence[LesionMask], noise: float
) -> tuple[dict[str, list[Score]], list[dict[str, NDArray[np.bool_]]]]:
    """Return the scores of all masks by code, and of every mask what each code returned."""
    scores: dict[str, list[Score]] = {name: [] for name in codes}
    returned: list[dict[str, NDArray[np.bool_]]] = []
    with progress("masks") as bar:
        task = bar.add_task("mask-test", total=len(masks))
        for mask in masks:
            returned.append({})
            for name, code in codes.items():
                score, returned[-1][name] = round_trip(code, mask, noise)
                scores[name].append(score)
            bar.advance(task)
    return scores, returned


def summarise(
    config: MaskTestConfig, codes: Mapping[str, MaskCode], scores: Mapping[str, Sequence[Score]]
) -> dict[str, Any]:
    """Return what mask_vae_test.json holds: per code means by size and every mask, and the code to
    take.
    """
    told: dict[str, dict[str, Any]] = {
        name: {
            "space": asdict(codes[name].space),
            "mean": means(own),
            "by_size": by_size(own),
            "pieces": pieces_by_size(own),
            "each": [asdict(score) for score in own],
        }
        for name, own in scores.items()
    }
    chosen = max(told, key=lambda name: over_sizes(told[name]["by_size"]))
    return {
        "format": 1,
        "vae": config.vae,
        "spacing": config.spacing,
        "noise": config.noise,
        "codes": told,
        "chosen": chosen,
        "enough": bool(told[chosen]["mean"]["dice"] > ENOUGH),
        "rule": RULE,
    }


def over_sizes(rows: Sequence[Mapping[str, Any]]) -> float:
    """Return the mean of the groups' mean Dice coefficients."""
    return float(np.mean([row["dice"] for row in rows]))


def table(summary: Mapping[str, Any]) -> str:
    """Return the summary as text: a line for each code and size, then those of connected pieces."""
    lines = [
        f"{'code':16}{'size':12}{'masks':>6}{'Dice':>8}{'min':>8}{'noisy':>8}{'HD95 mm':>9}"
        f"{'volume %':>10}{'lost':>6}"
    ]
    for name, code in summary["codes"].items():
        for row in code["by_size"]:
            far = "-" if row["hausdorff95_mm"] is None else f"{row['hausdorff95_mm']:.2f}"
            lines.append(
                f"{name:16}{row['size']:12}{row['masks']:6}{row['dice']:8.3f}{row['dice_min']:8.3f}"
                f"{row['dice_noisy']:8.3f}{far:>9}{row['volume_error_percent']:10.1f}{row['lost']:6}"
            )

    lines += ["", f"{'code':16}{'pieces':12}{'number':>6}{'found':>8}{'voxels':>8}"]
    for name, code in summary["codes"].items():
        for row in code["pieces"]:
            lines.append(
                f"{name:16}{row['size']:12}{row['pieces']:6}{row['found']:8.3f}{row['voxels']:8.3f}"
            )
    dice = summary["codes"][summary["chosen"]]["mean"]["dice"]
    lines += ["", f"chosen: {summary['chosen']}, mean Dice {dice:.3f} over all masks"]
    return "\n".join(lines)
