import numpy as np
import pytest

from neuromf.data.outliers import limits, without_outliers
from neuromf.data.preprocess import Preprocessing, preprocess
from neuromf.data.skullstrip import StripConfig
from neuromf.data.volume import Volume
from support import egg, head, placed

STEPS = Preprocessing(spacing=3.0, shape=(64, 72, 64), strip=StripConfig(method="none"))


def changed(volume, *places, value):
    voxels = volume.voxels.copy()
    for place in places:
        voxels[place] = value
    return Volume(voxels, volume.affine)


def brains(volume, steps=STEPS):
    prepared, record = preprocess(volume, steps)
    return prepared.voxels, record, " ".join(prepared.notes)


@pytest.mark.parametrize(
    "scan", [egg(placed()), head(), head(12.0)], ids=["stripped", "head", "head with noise"]
)
@pytest.mark.parametrize("value", [-32768, 32767, -500])
def test_one_broken_voxel_changes_nothing_else(scan, value):
    expected, _, notes = brains(scan)
    assert "far" not in notes
    for place in ((0, 0, 0), (9, 12, 5)):
        voxels, record, notes = brains(changed(scan, place, value=value))
        np.testing.assert_allclose(voxels, expected, atol=0.01)
        assert record["intensity"]["outliers"]["below" if value < 0 else "above"] == 1
        assert (
            f"1 voxels far {'below' if value < 0 else 'above'} all others, the first at {place}"
            in notes
        )


def test_a_bright_voxel_in_the_brain_is_no_blob():
    scan = egg(placed(spacing=(1.5, 1.5, 1.5)))
    middle = tuple(n // 2 for n in scan.voxels.shape)
    expected = brains(scan)[0]
    voxels = brains(changed(scan, middle, value=30000))[0]
    assert (
        np.abs(voxels - expected) > 0.05
    ).sum() <= 27  # the voxels that the smoothing takes it to
    assert np.abs(np.median(voxels[expected > 0] / expected[expected > 0]) - 1) < 1e-3


@pytest.mark.parametrize("noise", [0.0, 12.0])
@pytest.mark.parametrize("value", [-32768, 65535])
def test_fill_outside_the_field_of_view_is_background(noise, value):
    scan = head(noise)
    expected = brains(scan)[0]
    corners = np.ones(scan.voxels.shape, bool)
    corners[4:-4, 4:-4, 2:-2] = False
    voxels, record, notes = brains(
        Volume(np.where(corners, np.float32(value), scan.voxels), scan.affine)
    )
    assert np.corrcoef(voxels.ravel(), expected.ravel())[0, 1] > 0.999
    inside = expected > 0.3
    np.testing.assert_allclose(voxels[inside], expected[inside], atol=0.02)
    assert record["intensity"]["outliers"]["below" if value < 0 else "above"] == corners.sum()
    assert "far" in notes


def test_a_stripped_brain_on_a_fill_is_what_it_is_on_zeros():
    scan = egg(placed())
    scan = Volume(np.where(scan.voxels > 0, scan.voxels + 200, 0).astype(np.float32), scan.affine)
    filled = Volume(np.where(scan.voxels > 0, scan.voxels, np.float32(-32768)), scan.affine)
    voxels, record, notes = brains(filled)
    assert record["strip"]["stripped_already"]
    assert 200 <= record["intensity"]["low"] < 260  # where zero is, nobody can know
    assert np.percentile(voxels[voxels > 0], 50) < 0.8
    assert "far below" in notes


def test_air_of_ct_leaves_the_brain_its_contrast():
    scan = head()
    brain = egg(placed(spacing=(3, 3, 3)), margin_mm=45).voxels > 0
    rng = np.random.default_rng(0)
    air = -1000 + 10 * rng.standard_normal(scan.voxels.shape)
    units = np.where(brain, scan.voxels / 20, np.where(scan.voxels > 0, 40, air)).astype(np.float32)
    voxels, record, notes = brains(Volume(units, scan.affine))
    assert "CT?" in notes
    assert record["intensity"]["low"] > -300
    inside = voxels[voxels > 0.1]
    assert np.percentile(inside, 5) < 0.9


def test_ordinary_scans_come_back_as_they_are():
    for scan in (egg(placed()), head(), head(12.0)):
        values, counts = np.unique(scan.voxels, return_counts=True)
        same, found = without_outliers(scan, values, counts)
        assert same is scan
        assert found.record() == {"below": 0, "above": 0}
        assert not found.notes()


def test_a_normalised_brain_has_no_outliers():
    """Mean 0 and variance 1 in the brain, zeros around it: the smallest values are in the brain."""
    rng = np.random.default_rng(0)
    values, counts = np.unique(
        np.append(rng.standard_normal(30000), np.zeros(70000)).astype(np.float32),
        return_counts=True,
    )
    low, high = limits(values, counts)
    assert low < values[0]
    assert high > values[-1]


def test_a_flat_scan_has_no_limits():
    assert limits(np.array([3.0], np.float32), np.array([10])) == (-np.inf, np.inf)
