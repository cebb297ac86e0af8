"""The tissue mixture against brains whose tissues are known: drawn from the template, from label maps."""

import functools

import numpy as np
import pytest
from scipy import ndimage

from neuromf.data.foreground import bounds
from neuromf.data.preprocess import Preprocessing, preprocess
from neuromf.data.reading import read_volume
from neuromf.data.resample import resample
from neuromf.data.template import mni152, mni152_mask
from neuromf.data.volume import Volume
from neuromf.features.networks import coarse_template
from neuromf.phantoms.labels import labelled_brain, without_parcels
from neuromf.segmentation.tissue import (
    REGIONS,
    brain_mask,
    deep_region,
    fit,
    likelihood,
    rough_place,
    segment,
    tissue_priors,
)
from support import REAL, needs_real_data, placed
from tissue import TRUE


@functools.cache
def drawn(noise=0.02, seed=0):
    """A brain drawn from the template's own tissues at 2 mm, and the truth."""
    grid = coarse_template()
    place = type("G", (), {"shape": grid.voxels.shape, "affine": grid.affine})
    grey, white, mask = (
        resample(Volume(v.astype(np.float32), mni152().affine), place, smooth=False).voxels
        for v in (mni152("gm").voxels, mni152("wm").voxels, mni152_mask())
    )
    truth = np.where(mask > 0.5, 1 + np.stack([1 - grey - white, grey, white]).argmax(0), 0)
    image = np.choose(truth, [0.0, 0.2, 0.5, 0.8]) + noise * np.random.default_rng(
        seed
    ).standard_normal(truth.shape)
    return Volume(
        np.where(truth > 0, np.clip(image, 0.02, 1), 0).astype(np.float32), grid.affine
    ), truth


@functools.cache
def found_in_drawn():
    """Its segmentation."""
    return segment(drawn()[0])


def test_a_brain_drawn_from_the_template():
    volume, truth = drawn()
    found = found_in_drawn()
    assert (found.labels == truth)[
        truth > 1
    ].mean() > 0.97  # fluid at the border is dim, and taken for a rim
    for i, name in ((2, "GM"), (3, "WM")):
        assert found.ml[name] == pytest.approx((truth == i).sum() * volume.voxel_ml, rel=0.05)
    assert found.ml["brain"] == found.ml["GM"] + found.ml["WM"]
    assert tuple(found.ml) == REGIONS


def test_where_the_brain_lies_does_not_matter():
    """Moved, turned and in other axes: the same sizes."""
    volume, _ = drawn()
    moved = Volume(
        volume.voxels, placed(degrees=8.0, spacing=(2.0, 2.0, 2.0)) @ np.diag([1, 1, 1, 1.0])
    )
    a, b = found_in_drawn().ml, segment(moved).ml
    for name in ("GM", "WM", "brain"):
        assert b[name] == pytest.approx(a[name], rel=0.05), name


def test_twice_the_brain_is_twice_the_size():
    volume, _ = drawn()
    affine = volume.affine.copy()
    affine[:3] *= 1.1
    a, b = found_in_drawn().ml, segment(Volume(volume.voxels, affine)).ml
    assert b["brain"] / a["brain"] == pytest.approx(1.1**3, rel=0.02)


def test_larger_ventricles_are_found():
    volume, truth = drawn()
    deep = resample(
        Volume(deep_region().astype(np.float32), mni152().affine),
        type("G", (), {"shape": volume.voxels.shape, "affine": volume.affine}),
        smooth=False,
    ).voxels
    inner = (truth == 1) & (deep > 0.5)
    wide = ndimage.binary_dilation(inner, iterations=1) & (truth > 0)
    swollen = Volume(np.where(wide, 0.2, volume.voxels).astype(np.float32), volume.affine)
    gain = segment(swollen).ml["ventricles"] - found_in_drawn().ml["ventricles"]
    assert gain > 0.5 * (wide.sum() - inner.sum()) * volume.voxel_ml


def test_the_mixture_finds_known_means():
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 30_000)
    values = np.array([0.2, 0.5, 0.8])[classes] + 0.05 * rng.standard_normal(30_000)
    priors = np.full((3, 30_000), 0.2) + 0.4 * (np.arange(3)[:, None] == classes)
    found = fit(values, priors)
    assert found.mean == pytest.approx([0.2, 0.5, 0.8], abs=0.01)
    assert found.variance == pytest.approx(0.05**2, rel=0.05)
    assert (likelihood(values, found, priors).argmax(0) == classes).mean() > 0.99


def test_the_rim_of_interpolation_is_no_brain():
    x, y, z = np.indices((80, 80, 80)) - 39.5
    ball = (x**2 + y**2 + z**2 < 30**2).astype(float)
    soft = ndimage.gaussian_filter(ball, 0.7)  # as prepare leaves it at 2 mm
    blurred = Volume(np.where(soft > 1e-2, soft, 0).astype(np.float32), placed())
    assert (blurred.voxels > 0).sum() > 1.1 * ball.sum()
    assert brain_mask(blurred).sum() == pytest.approx(ball.sum(), rel=0.03)


def test_what_is_no_brain_is_refused():
    with pytest.raises(ValueError, match="no brain above 0"):
        segment(Volume(np.zeros((30, 30, 30), np.float32), placed()))


def test_rough_place_lays_the_template_on_itself():
    assert rough_place(mni152_mask(), mni152().affine) == pytest.approx(np.eye(4), abs=1e-9)
    volume, _ = drawn()
    assert tissue_priors(volume, np.eye(4)).sum(0) == pytest.approx(1)


def cropped(labels):
    """A label map without what lies far from the brain."""
    ids = without_parcels(np.rint(labels.voxels).astype(np.int32))
    low, high = bounds(np.isin(ids, TRUE["GM"] + TRUE["WM"]))
    low, high = np.maximum(low - 12, 0).astype(int), high.astype(int) + 13
    affine = labels.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ low
    return Volume(labels.voxels[tuple(map(slice, low, high))], affine)


@needs_real_data
def test_against_label_maps():
    """Brains drawn from real label maps: sizes follow the truth. All twenty: `benchmarks/tissue.py`."""
    found: dict[str, list[tuple[float, float]]] = {}
    for path in sorted((REAL / "labels").glob("*seg_0[135].nii.gz")):
        labels = cropped(read_volume(path).canonical())
        ids = without_parcels(np.rint(labels.voxels).astype(np.int32))
        image = labelled_brain(labels, 0.0, np.random.default_rng(0))
        prepared, _ = preprocess(image, Preprocessing(spacing=2.0, shape=(80, 96, 80)))
        ml = segment(prepared).ml
        for name, members in TRUE.items():
            found.setdefault(name, []).append(
                (ml[name], np.isin(ids, members).sum() * labels.voxel_ml)
            )
    for name, bound in (("GM", 0.06), ("WM", 0.25)):
        ours, true = np.array(found[name]).T
        assert np.abs(ours / true - 1).max() < bound, name
        assert np.corrcoef(ours, true)[0, 1] > 0.95
    ours, true = np.array(found["ventricles"]).T
    assert np.corrcoef(ours, true)[0, 1] > 0.8
