"""`prepare` against a plain MONAI Compose of the same steps (no strip, no N4): seconds a scan in
one process, values. No network takes part, so it runs on the CPU alone.

python benchmarks/prepare.py SCANS... [--spacing 1] [--shape 192 192 192] [--rounds 3] [--out FILE]

SCANS are skull-stripped NIfTI files. Each round takes every scan through both ways, in
turn; the figures are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scans", nargs="+", type=Path)
    parser.add_argument("--spacing", type=float, default=1.0)
    parser.add_argument("--shape", type=int, nargs=3, default=[192, 192, 192])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()

    import numpy as np
    import torch
    from monai.transforms import SaveImage

    from monai_pipeline import pipeline
    from neuromf.data.preprocess import Preprocessing, preprocess
    from neuromf.data.reading import read_volume
    from neuromf.data.skullstrip import StripConfig
    from neuromf.data.volume import write_volume

    torch.set_num_threads(1)
    shape = (options.shape[0], options.shape[1], options.shape[2])
    steps = Preprocessing(spacing=options.spacing, shape=shape, strip=StripConfig(method="none"))
    compose = pipeline(options.spacing, shape)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        save = SaveImage(
            output_dir=folder,
            output_postfix="",
            separate_folder=False,
            print_log=False,
            resample=False,
        )
        for path in options.scans:
            ours, theirs, stages = [], [], []
            for _ in range(options.rounds):
                start = time.perf_counter()
                volume = read_volume(path)
                read = time.perf_counter()
                prepared, _ = preprocess(volume, steps)
                done = time.perf_counter()
                write_volume(Path(folder) / "ours.nii.gz", prepared)
                ours.append(time.perf_counter() - start)
                stages.append((read - start, done - read, time.perf_counter() - done))
                start = time.perf_counter()
                image = compose(str(path))
                save(image)
                theirs.append(time.perf_counter() - start)
            rows.append(
                {
                    "scan": path.name,
                    "neuromf_s": round(statistics.median(ours), 3),
                    "monai_s": round(statistics.median(theirs), 3),
                    "read_s, steps_s, write_s": [
                        round(statistics.median(s), 3) for s in zip(*stages, strict=True)
                    ],
                    "largest_difference": difference(
                        volume, steps, image[0].numpy(), np.asarray(image.affine)
                    ),
                }
            )
            print(rows[-1], flush=True)
    ratio = statistics.median(r["monai_s"] / r["neuromf_s"] for r in rows)
    result = {
        "machine": platform.machine(),
        "processor": _processor(),
        "threads": 1,
        "spacing": options.spacing,
        "shape": shape,
        "rounds": options.rounds,
        "times_as_fast": round(ratio, 2),
        "scans": rows,
    }
    print(f"{ratio:.2f} times as fast as MONAI")
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


def difference(volume: Any, steps: Any, theirs: Any, affine: Any) -> float:
    """Return the largest difference from what the same steps give on MONAI's own grid.

    Its lattice starts at another fraction of a voxel for some affines. Four voxels
    at the borders are left out.
    """
    import numpy as np

    from neuromf.data.preprocess import scale, without_background
    from neuromf.data.resample import Grid, resample
    from neuromf.data.skullstrip import find_brain

    canonical = volume.canonical()
    kept, brain, _ = find_brain(canonical, steps.strip)
    dark, _, _ = without_background(canonical, kept, brain, steps.percentiles[0])
    ours, _ = scale(resample(dark, Grid(theirs.shape, affine)), steps.percentiles[1])
    return float(np.abs(ours.voxels - theirs)[4:-4, 4:-4, 4:-4].max())


def _processor() -> str:
    for line in (
        Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    ):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
