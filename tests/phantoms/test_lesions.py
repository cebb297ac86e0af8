"""Simulated lesions: what changes, where, and that the mask says so."""

import numpy as np
import pytest
from scipy import ndimage

from neuromf.data.volume import Volume, VolumeError
from neuromf.phantoms.lesion_config import Dysplasia, LesionConfig, Sclerosis
from neuromf.phantoms.lesions import add_lesion, local_mean
from phantoms.support import lesioned, simple_brain

KINDS = ("fcd", "ms")
CONTRASTS = ("T1w", "FLAIR")
every_kind = pytest.mark.parametrize("kind", KINDS)
every_contrast = pytest.mark.parametrize("contrast", CONTRASTS)


def shell(anatomy, mask):
    """White matter from 4 to 10 mm away from a mask."""
    away = ndimage.distance_transform_edt(~mask, anatomy.spacing)
    return anatomy.white & (away > 4) & (away < 10)


@every_kind
def test_the_same_seed_draws_the_same_bits(kind):
    (_, _, one), (_, _, again), (_, _, other) = (lesioned(kind, seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(one.volume.voxels, again.volume.voxels)
    np.testing.assert_array_equal(one.mask, again.mask)
    assert one.facts == again.facts
    assert (one.mask != other.mask).any()


@every_contrast
@every_kind
@pytest.mark.parametrize("seed", range(3))
def test_nothing_else_changes(kind, contrast, seed):
    healthy, anatomy, lesion = lesioned(kind, contrast, seed)
    mask = lesion.mask > 0
    width = lesion.facts["drawn"].get("blur_mm", Sclerosis().edge_mm)
    width = max(width, Dysplasia().edge_mm)
    away = ndimage.distance_transform_edt(~mask, anatomy.spacing)
    far = away - 1 >= width / 2  # the border lies half a voxel before the nearest voxel outside
    np.testing.assert_array_equal(lesion.volume.voxels[far], healthy.voxels[far])
    changed = lesion.volume.voxels != healthy.voxels
    assert changed[mask].mean() > 0.99
    assert not changed[anatomy.labels < 2].any()  # neither fluid nor what lies outside the brain
    assert changed[~mask & ~far & (anatomy.labels > 1)].any()  # the border is soft


@every_kind
def test_the_mask_is_where_a_voxel_moves_at_least_half_the_way(kind):
    """In a brain without noise, whose tissues are both 0.5 so that the level is all that counts."""
    volume, anatomy = simple_brain()
    flat = Volume(np.where(anatomy.labels > 0, np.float32(0.5), 0), volume.affine)
    even = LesionConfig(Dysplasia(flair=(0.4, 0.4)), Sclerosis(n=(1, 1), flair=(0.4, 0.4)))
    rng = np.random.default_rng(1)
    lesion = add_lesion(flat, anatomy, kind, "FLAIR", even, rng)
    rise = lesion.volume.voxels - flat.voxels
    mask = lesion.mask > 0
    full = np.median(rise[ndimage.binary_erosion(mask)])
    assert full > 0.1
    # a lesion's own contrast varies by a tenth within it
    assert np.mean(rise[mask] >= 0.4 * full) > 0.99
    assert np.mean(rise[~mask] < 0.6 * full) > 0.9999


@every_kind
@pytest.mark.parametrize("spacing", [1.5, 2.0, 3.0, 4.0])
def test_volumes_are_in_the_asked_range_at_any_voxel_size(kind, spacing):
    for seed in range(3):
        _, anatomy, lesion = lesioned(kind, seed=seed, spacing=spacing)
        ml = lesion.mask.sum() * anatomy.voxel_ml
        assert lesion.facts["ml"] == pytest.approx(ml, abs=1e-3)
        each = [ml] if kind == "fcd" else [one["ml"] for one in lesion.facts["drawn"]["lesions"]]
        low, high = (Dysplasia() if kind == "fcd" else Sclerosis()).ml
        assert all(low - 1e-4 <= v <= high + 1e-4 for v in each)
        assert sum(each) == pytest.approx(ml, abs=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_a_dysplasia_is_one_piece_with_cortex_and_white_matter(seed):
    _, anatomy, lesion = lesioned("fcd", seed=seed)
    mask = lesion.mask > 0
    assert ndimage.label(mask, np.ones((3, 3, 3)))[1] == 1
    assert anatomy.cortex[mask].mean() > 0.1
    assert anatomy.white[mask].mean() > 0.1


@pytest.mark.parametrize("seed", range(5))
def test_ms_lesions_lie_in_white_matter_near_the_ventricles(seed):
    _, anatomy, lesion = lesioned("ms", seed=seed)
    mask = lesion.mask > 0
    assert anatomy.white[mask].all()
    pieces, count = ndimage.label(mask, np.ones((3, 3, 3)))
    nearest = ndimage.minimum(anatomy.from_ventricles, pieces, range(1, count + 1))
    assert max(nearest) <= Sclerosis().reach_mm
    assert np.mean(anatomy.from_ventricles[mask]) < 20


@every_kind
@pytest.mark.parametrize("seed", range(4))
def test_flair_is_brighter_and_t1w_darker_than_white_matter_around(kind, seed):
    for contrast, sign in (("T1w", -1), ("FLAIR", 1)):
        _, anatomy, lesion = lesioned(kind, contrast, seed)
        mask = lesion.mask > 0
        around = lesion.volume.voxels[shell(anatomy, mask)].mean()
        assert sign * (lesion.volume.voxels[mask].mean() / around - 1) > 0.05


@every_contrast
@every_kind
def test_values_stay_in_the_unit_interval(kind, contrast):
    _, anatomy, lesion = lesioned(kind, contrast)
    voxels = lesion.volume.voxels
    assert voxels.dtype == np.float32
    assert voxels.min() >= 0
    assert voxels.max() <= 1
    assert lesion.mask.dtype == np.uint8
    assert set(np.unique(lesion.mask)) == {0, 1}
    assert not lesion.mask[anatomy.labels == 0].any()


def test_the_record_says_what_and_where():
    healthy, _, lesion = lesioned("fcd")
    facts = lesion.facts
    assert facts["kind"] == "simulated fcd"
    assert facts["drawn"]["contrast"] == "T1w"
    centre = np.argwhere(lesion.mask).mean(0)
    np.testing.assert_allclose(facts["centre_voxel"], centre, atol=0.01)
    there = healthy.affine @ np.append(centre, 1)
    np.testing.assert_allclose(facts["centre_mm"], there[:3], atol=0.01)


def test_a_lesion_larger_than_the_brain_is_refused():
    whole = LesionConfig(Dysplasia(ml=(3000.0, 3000.0)), Sclerosis(ml=(3000.0, 3000.0)))
    with pytest.raises(VolumeError, match="no room for a dysplasia of 3000 ml"):
        lesioned("fcd", config=whole)
    with pytest.raises(VolumeError, match="no room for a lesion of 3000 ml"):
        lesioned("ms", config=whole)


def test_volume_and_anatomy_must_be_of_one_grid():
    volume, _ = simple_brain(4.0)
    _, anatomy = simple_brain(2.0)
    with pytest.raises(VolumeError, match="one grid"):
        add_lesion(volume, anatomy, "ms", "T1w", LesionConfig(), np.random.default_rng(0))


def test_the_mean_of_a_tissue_follows_the_coil():
    volume, anatomy = simple_brain()
    slope = np.linspace(0.7, 1.3, volume.voxels.shape[1])[:, None]
    mean = local_mean(volume.voxels * slope, anatomy.white, anatomy.spacing)
    left, right = (mean[:, at, :][anatomy.white[:, at, :]].mean() for at in (20, -20))
    assert right > 1.2 * left
    with pytest.raises(VolumeError, match="no healthy tissue"):
        local_mean(volume.voxels, np.zeros_like(anatomy.white), anatomy.spacing)


def test_an_affine_that_is_turned_changes_nothing_but_the_place():
    volume, anatomy = simple_brain()
    turned = anatomy.affine.copy()
    turned[:3, :3] = turned[:3, [1, 0, 2]]
    draw = lambda a: (
        add_lesion(volume, a, "ms", "T1w", LesionConfig(), np.random.default_rng(0)).mask
    )
    np.testing.assert_array_equal(draw(anatomy), draw(anatomy._replace(affine=turned)))
