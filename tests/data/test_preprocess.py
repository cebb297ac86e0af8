import numpy as np
import pytest

from monai_pipeline import monai_prepared
from neuromf.data.preprocess import (
    Preprocessing,
    correct_bias,
    preprocess,
    put_back,
    scale,
)
from neuromf.data.skullstrip import StripConfig
from neuromf.data.volume import Volume, VolumeError
from support import AFFINES, EGG_CENTRE, egg, placed, save_nifti

STEPS = Preprocessing(spacing=2.0, shape=(80, 96, 80))


def centre_of_mass(volume):
    weights = volume.voxels / volume.voxels.sum()
    index = np.array(
        [
            (weights.sum(axis=tuple(a for a in range(3) if a != axis)) * np.arange(n)).sum()
            for axis, n in enumerate(weights.shape)
        ]
    )
    return (volume.affine @ np.append(index, 1))[:3]


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
class TestGeometry:
    def test_a_prepared_volume_lies_over_its_source(self, affine):
        source = egg(affine)
        prepared, record = preprocess(source, STEPS)
        assert (
            np.abs(centre_of_mass(prepared) - centre_of_mass(source)).max() < 0.1
        )  # mm; half a voxel is 1 mm
        assert np.abs(prepared.affine[:3, 3] - np.array(record["affine"])[:3, 3]).max() == 0
        assert record["brain_cut_percent"] == 0

    def test_and_comes_back_onto_its_grid(self, affine):
        source = egg(affine)
        prepared, record = preprocess(source, STEPS)
        back = put_back(prepared, tuple(record["source_shape"]), np.array(record["source_affine"]))
        assert back.voxels.shape == source.voxels.shape
        expected = np.clip(source.voxels / record["intensity"]["high"], 0, 1)
        inner = source.voxels > 450
        assert np.corrcoef(back.voxels[inner], expected[inner])[0, 1] > 0.99
        best = {}
        for axis in range(3):  # a shift of half a voxel of 2 mm either way fits worse
            for shift in (-1.0, 0.0, 1.0):
                moved = prepared.affine.copy()
                moved[:3, 3] += shift * prepared.affine[:3, axis] / 2
                again = put_back(
                    Volume(prepared.voxels, moved),
                    tuple(record["source_shape"]),
                    affine=np.array(record["source_affine"]),
                )
                best[axis, shift] = float(np.square(again.voxels - expected).sum())
            assert best[axis, 0.0] < min(best[axis, -1.0], best[axis, 1.0])

    def test_the_brain_is_in_the_middle(self, affine):
        prepared, _ = preprocess(egg(affine), STEPS)
        middle = prepared.affine @ np.append((np.array(prepared.voxels.shape) - 1) / 2, 1)
        assert np.abs(middle[:3] - EGG_CENTRE).max() < 2.5


def test_values_are_scaled_to_the_percentile():
    prepared, record = preprocess(egg(placed()), STEPS)
    voxels = prepared.voxels
    assert voxels.min() == 0
    assert voxels.max() == 1
    assert np.percentile(voxels[voxels > 0], 99.5) == pytest.approx(1, abs=1e-3)
    assert (voxels == 1).mean() < 0.01
    assert record["intensity"]["percentiles"] == [0.0, 99.5]


def test_a_negative_background_is_background():
    """A z-scored brain on zeros: half its voxels are below the background."""
    source = egg(placed())
    brain = source.voxels > 0
    scored = np.where(
        brain, (source.voxels - source.voxels[brain].mean()) / source.voxels[brain].std(), 0
    ).astype(np.float32)
    prepared, _ = preprocess(Volume(scored, source.affine), STEPS)
    assert not prepared.voxels[0].any()
    straight, _ = preprocess(source, STEPS)
    inner = straight.voxels > 0.6
    assert np.corrcoef(prepared.voxels[inner], straight.voxels[inner])[0, 1] > 0.999


def test_what_is_cut_is_said():
    small = Preprocessing(spacing=2.0, shape=(80, 96, 52))  # 104 mm high, the brain measures 120
    prepared, record = preprocess(egg(placed()), small)
    assert record["brain_cut_percent"] == pytest.approx(
        100 * (1 - 1.5 * (52 / 60) + 0.5 * (52 / 60) ** 3), abs=0.7
    )
    assert any("% of the brain lies outside" in note for note in prepared.notes)


def test_a_given_mask_is_applied(tmp_path):
    source = egg(placed())
    half = (source.voxels > 0) & (np.arange(source.voxels.shape[0]) > source.voxels.shape[0] // 2)[
        :, None, None
    ]
    other_grid = egg(placed(spacing=(3.0, 2.5, 2.0), flips=(-1, 1, 1)))
    place = (
        np.tensordot(other_grid.affine[:3, :3], np.indices(other_grid.voxels.shape), axes=(1, 0))
        + other_grid.affine[:3, 3][:, None, None, None]
    )
    mask = save_nifti(
        tmp_path / "m.nii",
        Volume(
            ((place[0] > EGG_CENTRE[0]) & (other_grid.voxels > 0)).astype(np.float32),
            other_grid.affine,
        ),
    )
    steps = Preprocessing(spacing=2.0, shape=(80, 96, 80), strip=StripConfig(method="mask"))
    prepared, record = preprocess(source, steps, str(mask))
    assert record["strip"]["method"] == "mask"
    assert record["brain_ml"] == pytest.approx(float(half.sum()) * source.voxel_ml, rel=0.05)
    assert centre_of_mass(prepared)[0] > EGG_CENTRE[0] + 15


def test_no_brain_is_refused():
    speck = egg(placed())
    tiny = Volume(speck.voxels, speck.affine @ np.diag([0.2, 0.2, 0.2, 1]))
    with pytest.raises(VolumeError, match=r"measures .* ml, no brain: preprocessing.smallest_ml=0"):
        preprocess(tiny, Preprocessing(strip=StripConfig(method="none")))


def test_n4_takes_a_bias_field_out():
    source = egg(placed(spacing=(5.0, 5.0, 5.0)))
    brain = source.voxels > 300
    flat = Volume(np.where(brain, np.float32(500), np.float32(0)), source.affine)
    slope = np.linspace(0.6, 1.4, flat.voxels.shape[1], dtype=np.float32)[None, :, None]
    biased = Volume(flat.voxels * slope, flat.affine)
    corrected = correct_bias(biased, brain)
    before, after = (v.voxels[brain].std() / v.voxels[brain].mean() for v in (biased, corrected))
    assert after < before / 3


def test_scaling_refuses_an_empty_volume():
    with pytest.raises(VolumeError, match="nothing is left"):
        scale(Volume(np.zeros((4, 4, 4), np.float32), placed()), 99.5)


def test_a_mask_is_no_scan():
    source = egg(placed())
    with pytest.raises(VolumeError, match="only 2 different values: is it a mask"):
        preprocess(Volume((source.voxels > 0).astype(np.float32), source.affine), STEPS)


@pytest.mark.parametrize(
    "bad",
    [
        *({"spacing": value} for value in (0, 1e-9, -1, 11, np.nan)),
        *({"shape": shape} for shape in ((4, 80, 80), (80, 81, 80), (80, 80), (4000, 4000, 4000))),
        *(
            {"percentiles": pair}
            for pair in ((50, 50), (-1, 99), (0, 101), (np.nan, 99), (0, np.nan))
        ),
        *({"smallest_ml": value} for value in (-1, np.nan, np.inf)),
    ],
    ids=str,
)
def test_settings_are_checked(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        Preprocessing(**bad)


def test_equals_the_plain_monai_pipeline(tmp_path):
    """Orientation, smoothing, spacing, scaling and crop as MONAI's transforms do them one after another, on its grid."""
    from prepare import difference

    for name in ("oblique", "flipped", "anisotropic"):
        source = egg(AFFINES[name])
        path = save_nifti(tmp_path / f"{name}.nii.gz", source)
        steps = Preprocessing(spacing=1.5, shape=(96, 112, 96), strip=StripConfig(method="none"))
        theirs, affine = monai_prepared(path, 1.5, (96, 112, 96))
        assert theirs.max() == 1
        assert difference(source, steps, theirs, affine) < 1e-3
        ours, _ = preprocess(source, steps)
        apart = np.linalg.inv(affine) @ ours.affine
        np.testing.assert_allclose(apart[:3, :3], np.eye(3), atol=1e-4)
        assert np.abs(apart[:3, 3]).max() < 2  # voxels: both are centred on the brain


def test_what_is_noted_of_a_mask_is_noted_of_the_volume(tmp_path):
    source = egg(placed())
    affine = source.affine @ np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 16], [0, 0, 0, 1]])
    late = Volume(np.ascontiguousarray(source.voxels[:, :, 16:]), affine)
    mask = save_nifti(
        tmp_path / "m.nii", Volume((source.voxels > 0).astype(np.float32), source.affine)
    )
    prepared, record = preprocess(late, STEPS, str(mask))
    assert any("of the brain mask lies outside the scan" in note for note in prepared.notes)
    assert "notes" not in record["strip"]
