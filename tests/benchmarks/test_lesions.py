import numpy as np
import pytest

from lesions import Case, at_2mm, measure, ratio, summary, whole_ml
from neuromf.data.volume import Volume
from phantoms.support import simple_brain


def case_of(mask, affine, images=None):
    return Case("g", mask, affine, np.eye(4), 1.0, images or {}, {})


def test_place_and_pieces_of_a_mask():
    """A brain is its own atlas: two pieces of white matter right of the ventricles, one of cortex."""
    _, atlas = simple_brain()
    mask = np.zeros(atlas.labels.shape, bool)
    white = np.argwhere(atlas.white & (atlas.from_ventricles > 10))
    cortex = np.argwhere(atlas.cortex)
    mask[tuple(white[0])] = mask[tuple(white[-1])] = mask[tuple(cortex[0])] = True
    row = measure(case_of(mask, atlas.affine), atlas)
    assert row["pieces"] == 3
    assert row["piece_ml"] == pytest.approx([0.008] * 3)
    assert row["white matter"] == pytest.approx(2 / 3)
    assert row["cortex"] == pytest.approx(1 / 3)
    assert row["elsewhere"] == pytest.approx(0, abs=1e-9)
    assert sorted(row["piece_mm_to_ventricles"]) == pytest.approx(
        sorted(atlas.from_ventricles[mask].tolist())
    )


def test_contrast_is_over_the_tissue_around():
    _, atlas = simple_brain()
    image = np.where(atlas.labels > 0, np.float32(0.5), 0)
    mask = np.zeros(image.shape, bool)
    mask[20:24, 40:44, 30:34] = True
    image[mask] = 0.7
    assert ratio(case_of(mask, atlas.affine), image) == pytest.approx(1.4)


def test_masks_keep_their_volume_at_2mm():
    _, atlas = simple_brain(1.5)
    ball = Volume((atlas.from_ventricles < 8).astype(np.float32), atlas.affine)
    coarse = np.zeros((70, 80, 70), np.float32)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = atlas.affine[:3, 3] - 4
    mask, _ = at_2mm(ball, Volume(coarse, affine))
    assert mask.sum() * 0.008 == pytest.approx(whole_ml(ball), rel=0.03)


def test_a_summary_is_over_masks_or_pieces():
    rows = [{"ml": 1.0, "piece_ml": [0.4, 0.6]}, {"ml": 3.0, "piece_ml": [3.0]}]
    found = summary(rows)
    assert found["masks"] == 2
    assert found["ml"][0] == 2
    assert found["piece_ml"] == [0.6, 0.5, 1.8, 0.4, 3.0]
