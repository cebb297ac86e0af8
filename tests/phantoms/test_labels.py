import numpy as np
import pytest

from neuromf.data.volume import Volume, VolumeError
from neuromf.phantoms.labels import BRIGHTNESS, labelled_brain, without_parcels
from support import placed


def two_hemispheres():
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 40)] * 3, indexing="ij"))
    radius = np.sqrt((grid**2).sum(0))
    labels = np.where(
        radius < 0.75, np.where(radius < 0.55, 41, 42), np.where(radius < 0.95, 24, 0)
    )
    left = grid[0] < 0
    labels[left & (labels == 41)] = 2
    labels[left & (labels == 42)] = 3
    return Volume(labels.astype(np.float32), placed())


def test_structures_have_their_brightness_left_and_right_alike():
    labels = two_hemispheres()
    image = labelled_brain(labels, 0.0, np.random.default_rng(0)).voxels
    means = {label: image[labels.voxels == label].mean() for label in (2, 41, 3, 42)}
    for label, mean in means.items():
        assert mean == pytest.approx(BRIGHTNESS[label], rel=0.03)
    assert means[2] == pytest.approx(means[41], rel=0.01)
    assert not image[labels.voxels == 24].any()  # fluid outside the brain goes with the skull


def test_contrast_changes_and_is_seeded():
    draw = lambda seed: labelled_brain(two_hemispheres(), 0.2, np.random.default_rng(seed)).voxels
    np.testing.assert_array_equal(draw(1), draw(1))
    assert np.abs(draw(1) - draw(2)).mean() > 0.01


def test_an_image_is_no_label_map():
    image = Volume(np.random.default_rng(0).random((8, 8, 8), np.float32) * 100, placed())
    with pytest.raises(VolumeError, match="no FreeSurfer label map"):
        labelled_brain(image, 0.1, np.random.default_rng(0))


def with_cortex(left, right):
    labels = two_hemispheres()
    voxels = np.where(labels.voxels == 3, left, labels.voxels)
    return Volume(np.where(labels.voxels == 42, right, voxels), labels.affine)


@pytest.mark.parametrize("cortex", [(1021, 2035), (11100, 12175), (11141, 12101)])
def test_parcels_are_their_tissue(cortex):
    labels, parcels = two_hemispheres(), with_cortex(*cortex)
    one, two = (labelled_brain(v, 0.1, np.random.default_rng(0)).voxels for v in (labels, parcels))
    np.testing.assert_array_equal(one, two)


def test_white_matter_parcels_of_the_atlas_of_2009():
    ids = without_parcels(np.array([[[13100, 14175, 3021, 4035, 15000, 251]]], np.int32))
    assert ids.tolist() == [[[2, 41, 2, 41, 15000, 251]]]


def test_a_map_without_cortex_is_refused():
    with pytest.raises(VolumeError, match=r"without cortex \(largest value 21042\): 3 and 42"):
        labelled_brain(with_cortex(21003, 21042), 0.1, np.random.default_rng(0))
