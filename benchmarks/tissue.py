"""The tissue mixture against label maps: brains drawn from SynthSeg's maps,
prepared at 2 mm, segmented.

`python benchmarks/tissue.py FOLDER [--contrast 0.08] [--out FILE]`. The truth is the volume of
the labels at their own 1 mm. No network takes part, so it runs on the CPU alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from machine import hardware
from neuromf.data.preprocess import Preprocessing, preprocess
from neuromf.data.reading import read_volume
from neuromf.phantoms.labels import labelled_brain, without_parcels
from neuromf.runtime.files import write_json
from neuromf.runtime.parallel import each
from neuromf.segmentation.tissue import METHOD, segment

TRUE = {  # FreeSurfer's labels
    "CSF": (4, 43, 5, 44, 14, 15, 24, 72),
    "GM": (3, 42, 8, 47, 10, 49, 11, 50, 12, 51, 13, 52, 17, 18, 53, 54, 26, 58, 28, 60),
    "WM": (2, 41, 7, 46, 16, 77, 251, 252, 253, 254, 255),
    "ventricles": (4, 43, 5, 44, 14),
}
STEPS = Preprocessing(spacing=2.0, shape=(80, 96, 80))


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--contrast", type=float, nargs="+", default=[0.0, 0.08])
    arguments.add_argument("--out", type=Path, default=None)
    chosen = arguments.parse_args()
    paths = sorted(chosen.folder.glob("*seg*.nii.gz"))
    results: dict[str, Any] = {
        "hardware": hardware(),
        "method": METHOD,
        "maps": len(paths),
        "contrast": {},
    }
    for contrast in chosen.contrast:
        items = [(path, contrast, seed) for seed, path in enumerate(paths)]
        rows = [row for _, row in each(sizes, items) if not isinstance(row, Exception)]
        results["contrast"][str(contrast)] = summary(rows)
        for name, row in results["contrast"][str(contrast)].items():
            print(contrast, name, row, flush=True)
    if chosen.out:
        write_json(chosen.out, results)


def sizes(item: tuple[Path, float, int]) -> dict[str, tuple[float, float]]:
    """Return region -> (measured, true) ml of one label map."""
    path, contrast, seed = item
    labels = read_volume(path).canonical()
    ids = without_parcels(np.rint(labels.voxels).astype(np.int32))
    image = labelled_brain(labels, contrast, np.random.default_rng(seed))
    ml = segment(preprocess(image, STEPS)[0]).ml
    true = {
        name: float(np.isin(ids, members).sum()) * labels.voxel_ml for name, members in TRUE.items()
    }
    true["brain"] = true["GM"] + true["WM"]
    return {name: (ml[name], true[name]) for name in true}


def summary(rows: list[dict[str, tuple[float, float]]]) -> dict[str, dict[str, float]]:
    """Return for each region the mean and the mean absolute error in %, and Pearson's r."""
    out = {}
    for name in rows[0]:
        ours, true = np.array([row[name] for row in rows]).T
        error = 100 * (ours / true - 1)
        out[name] = {
            "bias_percent": round(float(error.mean()), 1),
            "error_percent": round(float(np.abs(error).mean()), 1),
            "r": round(float(np.corrcoef(ours, true)[0, 1]), 3),
            "true_ml": round(float(true.mean()), 1),
        }
    return out


if __name__ == "__main__":
    main()
