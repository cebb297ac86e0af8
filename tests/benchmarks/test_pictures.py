"""Pictures of the documentation: whose volumes are shown, and where."""

import sys

import numpy as np
import pytest
from PIL import Image

import pictures
from neuromf.data.volume import Volume

SHAPE = (4, 6, 5)


def folder_of(folder, values):
    folder.mkdir()
    for number, value in enumerate(values):
        voxels = np.full(SHAPE, value, np.float32)
        voxels[0, 0, 0] = 0
        Volume(voxels, np.eye(4)).save(folder / f"sub-{number}_T1w.nii.gz")
    return folder


def drawn(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["pictures.py", *map(str, words)])
    pictures.main()


def test_a_row_for_each_folder_in_the_order_of_names(tmp_path, monkeypatch):
    one = folder_of(tmp_path / "one", [0.2, 0.4, 0.6])
    two = folder_of(tmp_path / "two", [0.8, 1.0])
    out = tmp_path / "out.png"
    drawn(monkeypatch, out, f"one={one}", f"two={two}", "--n", "2")
    image = np.asarray(Image.open(out).convert("L"), float)
    height, width = (side // 2 for side in image.shape)
    seen = [image[2, 1], image[2, width + 1], image[height + 2, 1], image[height + 2, width + 1]]
    assert seen == pytest.approx([255 * v for v in (0.2, 0.4, 0.8, 1.0)], abs=4)


def test_too_few_volumes(tmp_path, monkeypatch):
    one = folder_of(tmp_path / "one", [0.2])
    with pytest.raises(SystemExit, match="holds 1 volumes, 4 are to be shown"):
        drawn(monkeypatch, tmp_path / "out.png", f"one={one}")
    assert not (tmp_path / "out.png").exists()
