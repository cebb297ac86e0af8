"""The pictures of volumes in the documentation: a row for each folder, a column for each volume.

`python benchmarks/pictures.py OUT.png "LABEL=FOLDER" ... [--n 4] [--columns 4] [--scale 2]`.
A folder that `neuromf prepare` wrote shows its held-out people, any other its files in the order of
names, so that samples of one seed stand under each other. Nothing is chosen.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from neuromf.data.cohort import read_cohort
from neuromf.data.reading import read_volume
from neuromf.data.splits import SPLITS
from neuromf.reporting.slices import Picture, save, sheet, slices

HELD_OUT = tuple(split for split in SPLITS if split != "train")


def main() -> None:
    chosen = arguments().parse_args()
    pictures: list[Picture] = []
    labels: list[str] = []
    for word in chosen.rows:
        label, _, folder = word.partition("=")
        paths = volumes(Path(folder))[: chosen.n]
        if len(paths) < chosen.n:
            raise SystemExit(f"{folder} holds {len(paths)} volumes, {chosen.n} are to be shown")
        pictures += [slices(read_volume(path).canonical().voxels) for path in paths]
        labels += [f"{label} {number}" for number in range(chosen.n)]
    save(chosen.out, few_greys(sheet(pictures, labels, chosen.columns or chosen.n, chosen.scale)))


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("rows", nargs="+", metavar="LABEL=FOLDER")
    parser.add_argument("--n", type=int, default=4)
    parser.add_argument("--columns", type=int, default=0, help="n, if not given")
    parser.add_argument("--scale", type=int, default=1)
    return parser


def volumes(folder: Path) -> list[Path]:
    """Return the volumes of a folder: held-out people where it has any."""
    if (folder / "split.json").is_file():
        entries = read_cohort(folder)
        held_out = [entry.path for entry in entries if entry.split in HELD_OUT]
        return held_out or [entry.path for entry in entries]
    return sorted(folder.rglob("*_T1w.nii.gz"))


def few_greys(image: Image.Image) -> Image.Image:
    """Return an image in 64 greys: a file of half the size, and no eye sees the difference."""
    return image.quantize(64)


if __name__ == "__main__":
    main()
