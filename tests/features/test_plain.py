"""Measures without a network."""

import numpy as np
import pytest
import torch

from features.support import blob
from neuromf.data.volume import Volume
from neuromf.features.plain import BINS, coarse, packed, spectrum, tissue, unpacked
from support import placed


def test_coarse_voxels_are_block_means():
    volume = Volume(np.random.default_rng(0).random((48, 40, 32), np.float32), placed())
    values = coarse().compute(volume)["voxels"]
    blocks = volume.voxels.reshape(24, 2, 20, 2, 16, 2).mean((1, 3, 5))
    torch.testing.assert_close(values, torch.from_numpy(blocks.ravel()))
    odd = coarse().compute(blob(0, shape=(25, 31, 29)))["voxels"]
    assert len(odd) == 13 * 16 * 15


def test_spectrum_grows_with_the_square_of_contrast():
    a = blob(0)
    b = Volume(0.5 * a.voxels, a.affine)
    x, y = spectrum().compute(a), spectrum().compute(b)
    assert x["power"].shape == (BINS,)
    torch.testing.assert_close(y["power"], x["power"] / 4, rtol=1e-4, atol=0)
    assert float(y["high"]) == pytest.approx(float(x["high"]) / 4, rel=1e-4)


def test_tissue_is_labelled_by_its_method():
    assert "mixture" in tissue().label
    found = tissue().compute(Volume(np.zeros((20, 20, 20), np.float32), placed()))
    assert torch.isnan(found["ml"]).all()  # no brain is a finding
    assert len(found["labels"]) == 0


def test_labels_are_packed_and_unpacked():
    labels = np.random.default_rng(0).integers(0, 4, (9, 11, 7)).astype(np.uint8)
    assert (unpacked(packed(labels), (9, 11, 7)) == labels).all()
    large = np.zeros((80, 96, 80), np.uint8)
    large[20:60, 20:70, 20:60] = 2
    assert len(packed(large)) < large.size / 20
