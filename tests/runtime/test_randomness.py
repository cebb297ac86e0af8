"""Streams of chance repeat, and are unlike each other."""

import itertools

import numpy as np
import torch

from neuromf.runtime.randomness import Purpose, generator, numpy_generator


def test_equal_numbers_equal_streams():
    a, b = (torch.randn(5, generator=generator(Purpose.NOISE, 3, 0, 1)) for _ in range(2))
    assert torch.equal(a, b)


def test_no_two_streams_are_alike():
    """Also where numbers are 0, or there are fewer of them."""
    seeds = [
        numbers for n in (1, 2, 3, 4) for numbers in itertools.product((0, 1, 2, 2**40), repeat=n)
    ]
    lengths = {
        Purpose.ORDER: 2,
        Purpose.TIMES: 2,
        Purpose.SAMPLES: 2,
        Purpose.DIRECTIONS: 1,
        Purpose.HELD_OUT: 2,
    }
    lengths |= {
        Purpose.NOISE: 3,
        Purpose.AUGMENTATION: 3,
        Purpose.BOOTSTRAP: 2,
        Purpose.SUBSETS: 4,
        Purpose.PAIRS: 2,
        Purpose.VELOCITY: 2,
        Purpose.BASELINES: 3,
        Purpose.SECANTS: 3,
        Purpose.CONDITIONS: 3,
        Purpose.LESIONS: 2,
        Purpose.SEGMENTATION: 2,
        Purpose.MASK: 3,
        Purpose.POPULATION: 2,
        Purpose.HEADS: 3,
    }
    states = [
        generator(p, *s).initial_seed() for p in Purpose for s in seeds if len(s) == lengths[p]
    ]
    assert len(set(states)) == len(states)


def test_numpy_draws_from_the_same_state():
    draw = lambda *numbers: numpy_generator(Purpose.LESIONS, *numbers).random(4).tolist()
    assert draw(1, 2) == draw(1, 2)
    assert draw(1, 2) != draw(2, 1)
    assert draw(1, 2) != np.random.default_rng([1, 2]).random(4).tolist()
