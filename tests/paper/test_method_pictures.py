"""What figure 1 shows: the template, its latents, and a sample of the shipped model."""

import numpy as np
import pytest

import neuromf
from neuromf.data.template import mni152
from neuromf.paper import method_pictures
from neuromf.paper.method_pictures import TIMES, axial, pictures, template


@pytest.fixture(scope="module")
def shipped():
    """The model that ships with the package."""
    return neuromf.load("embedded", device="cpu")


@pytest.fixture(scope="module")
def made(shipped):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(method_pictures, "load", lambda name, device: shipped)
        return pictures()


def test_planes(made):
    assert made.scan.shape == made.brain.shape == (96, 80)
    assert len(made.path) == len(TIMES)
    assert {plane.shape for planes in made.path for plane in planes} == {(24, 20)}
    np.testing.assert_array_equal(made.path[-1], made.noise)
    assert len(made.model) == len(made.vae) == 64


def test_latents_of_the_path_lie_between(made):
    t = TIMES[1]
    ends = np.array(made.path[0]), np.array(made.path[-1])
    np.testing.assert_allclose(made.path[1], (1 - t) * ends[0] + t * ends[1], atol=1e-5)


def test_the_brain_is_the_one_call_sample(made, shipped):
    [volume] = shipped.generate(1)
    shown = axial(volume.voxels)
    inside = shown > 0  # generate clears what lies outside the brain
    np.testing.assert_array_equal(made.brain.clip(0, 1)[inside], shown[inside])


def test_the_template_is_in_the_middle():
    voxels = template((80, 96, 80))
    inside = np.argwhere(voxels > 0)
    middle = (inside.min(0) + inside.max(0) + 1) / 2
    np.testing.assert_allclose(middle, (40, 48, 40), atol=1)
    assert voxels.max() <= mni152().voxels.max()


def test_anterior_is_up():
    voxels = np.zeros((4, 6, 4), np.float32)
    voxels[:, -1] = 1
    assert axial(voxels)[0].tolist() == [1, 1, 1, 1]
