"""How the brain is found in heads of several contrasts: the network against the template.

`python benchmarks/skullstrip.py LABELS [--maps 2] [--scans FILE ...] --weights FOLDER --out FILE`
Heads at 1 mm are drawn from the last label maps of a folder (those that train-skullstrip holds
out), three contrasts and two drawings of all that surrounds the brain each; the truth is the
surface that the network is trained on, over the sulci. Of scans no truth is known: the Dice
coefficient of the two methods' masks is given, and the volume of each.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from machine import hardware
from neuromf.data.brain_network import network_mask
from neuromf.data.foreground import foreground
from neuromf.data.reading import read_volume
from neuromf.data.resample import grid_of, resample
from neuromf.data.template import template_mask
from neuromf.data.volume import Volume, VolumeError
from neuromf.metrics.masks import border_distance95
from neuromf.phantoms.config import Appearance
from neuromf.phantoms.draw import bias_field
from neuromf.phantoms.heads import AIR, Labels, read_labels
from neuromf.runtime.files import write_json

Mask = NDArray[np.bool_]
# the brightness of a structure of the brain, from that in T1w
CONTRASTS = {
    "T1w": lambda b: b,
    "T2w": lambda b: 1.15 - b,
    "FLAIR": lambda b: np.where(b < 0.4, 0.12, 1.15 - 0.6 * b),
}
NOISE, GRAIN, BIAS = 0.02, 0.05, 0.2


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("labels", type=Path)
    parser.add_argument("--maps", type=int, default=2)
    parser.add_argument("--scans", type=Path, nargs="*", default=[])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()

    drawn = []
    for path in sorted(chosen.labels.glob("*.nii.gz"))[-chosen.maps :]:
        labels = read_labels(read_volume(path))
        for contrast in CONTRASTS:
            for seed in range(2):
                row = {"map": path.name, "contrast": contrast, "seed": seed}
                drawn.append(row | against_truth(*head(labels, contrast, seed), chosen.weights))
                print(drawn[-1], flush=True)
    scans = []
    for path in chosen.scans:
        volume = read_volume(path).canonical()
        if foreground(volume).stripped:
            continue
        scans.append({"scan": path.name} | against_each_other(volume, chosen.weights))
        print(scans[-1], flush=True)
    write_json(chosen.out, {"hardware": hardware(), "drawn": drawn, "scans": scans})


def head(labels: Labels, contrast: str, seed: int) -> tuple[Volume, Mask]:
    """Return a head at the label map's own voxels, and its brain."""
    rng = np.random.default_rng([seed, list(CONTRASTS).index(contrast)])
    inside = labels.brightness > 0
    table = np.where(
        inside, CONTRASTS[contrast](labels.brightness), rng.uniform(0.02, 1, len(inside))
    )
    table[AIR] = 0
    voxels = table[labels.classes].astype(np.float32)
    voxels *= 1 + GRAIN * rng.standard_normal(voxels.shape, np.float32)
    plain = Volume(voxels, labels.affine)
    voxels *= bias_field(plain, Appearance(bias=BIAS, bias_smooth_mm=40.0), rng)
    voxels = np.abs(voxels + NOISE * rng.standard_normal(voxels.shape, np.float32))
    volume = Volume(voxels, labels.affine)
    far = Volume(20 - labels.distance.voxels, labels.distance.affine)  # 0 beyond its grid
    return volume, resample(far, grid_of(volume), smooth=False).voxels > 20


def against_truth(volume: Volume, truth: Mask, weights: Path) -> dict[str, Any]:
    """Return Dice, the 95th percentile of distances between surfaces, and seconds, by method."""
    row: dict[str, Any] = {}
    for method, (found, seconds) in masks(volume, weights).items():
        row[f"{method}_seconds"] = round(seconds, 2)
        if found is None:
            row[f"{method}_dice"] = 0.0
            continue
        ours, true = (np.argwhere(mask[::2, ::2, ::2]) for mask in (found, truth))
        row[f"{method}_dice"] = round(dice(found, truth), 4)
        row[f"{method}_mm95"] = round(
            border_distance95(ours, true, [2 * s for s in volume.spacing]), 2
        )
    return row


def against_each_other(volume: Volume, weights: Path) -> dict[str, Any]:
    """Return the volume that each method finds, and the Dice coefficient of the two."""
    found = {method: mask for method, (mask, _) in masks(volume, weights).items()}
    row: dict[str, Any] = {
        f"{method}_ml": None if mask is None else round(float(mask.sum()) * volume.voxel_ml)
        for method, mask in found.items()
    }
    one, other = found["network"], found["template"]
    if one is not None and other is not None:
        row["dice"] = round(dice(one, other), 4)
    return row


def masks(volume: Volume, weights: Path) -> dict[str, tuple[Mask | None, float]]:
    """Return each method's mask, None where it found no brain, and its seconds."""
    found: dict[str, tuple[Mask | None, float]] = {}
    ways = {
        "network": lambda: network_mask(volume, weights),
        "template": lambda: template_mask(volume),
    }
    for method, way in ways.items():
        began = time.perf_counter()
        try:
            mask: Mask | None = way()[0]
        except VolumeError:
            mask = None
        found[method] = (mask, time.perf_counter() - began)
    return found


def dice(a: Mask, b: Mask) -> float:
    """Return the Dice coefficient of two masks."""
    return float(2 * (a & b).sum() / max(int(a.sum() + b.sum()), 1))


if __name__ == "__main__":
    main()
