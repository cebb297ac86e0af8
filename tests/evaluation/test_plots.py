"""Figures are drawn for what is there, and only for that."""

import numpy as np

from evaluation.support import material
from neuromf.evaluation import plots as figures
from neuromf.evaluation.memorisation import find_copies
from neuromf.evaluation.run import Judged


def test_distances_and_pairs(world, kept):
    train, held_out = material(world / "others", kept), material(world / "same", kept)
    copies = find_copies(held_out, train, train, "voxels")
    image = figures.distances(copies)
    assert image.mode == "RGB"
    assert np.asarray(image).std() > 10  # not blank
    assert len(copies.closest) == 6


def test_power_is_the_mean_of_the_set(world, kept):
    s = material(world / "same", kept)
    expected = s.features.stacked("spectrum", "power").double().mean(0).numpy()
    assert (figures.power(Judged(s, [])) == expected).all()


def test_colours_repeat_after_eight():
    assert len(set(figures.colours(8))) == 8
    assert figures.colours(9)[8] == figures.colours(1)[0]
