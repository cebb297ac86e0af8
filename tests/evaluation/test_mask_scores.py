import numpy as np
import pytest
import torch

from neuromf.autoencoder.load import load_vae
from neuromf.autoencoder.mask_codes import load_mask_code
from neuromf.evaluation.mask_reading import LesionMask
from neuromf.evaluation.mask_scores import (
    Piece,
    Score,
    by_size,
    groups,
    noise_like,
    pieces_by_size,
    round_trip,
)


def mask_of(side, name="a", shape=(24, 24, 24)):
    voxels = np.zeros(shape, bool)
    voxels[8 : 8 + side, 8 : 8 + side, 8 : 8 + side] = True
    return LesionMask(name, voxels, (2.0, 2.0, 2.0), side**3 * 0.008)


def score(ml, dice=0.9, far=1.0, error=-10.0, shares=(1.0,)):
    each = tuple(Piece(ml / len(shares), share) for share in shares)
    return Score("a", ml, dice, dice - 0.1, far, error, 0, each)


@pytest.fixture(scope="module")
def average(vae_folder):
    return load_mask_code("average", load_vae(str(vae_folder)))


def test_a_large_cube_comes_back_from_pooling_and_a_voxel_does_not(average):
    good, found = round_trip(average, mask_of(8), noise=0.0)
    assert good.dice > 0.8
    assert good.dice == good.dice_noisy
    assert good.hausdorff95_mm <= 4
    assert good.ml == pytest.approx(8**3 * 0.008)
    assert found.shape == (24, 24, 24)
    assert [piece.ml for piece in good.pieces] == [pytest.approx(8**3 * 0.008)]

    lost, found = round_trip(average, mask_of(1), noise=0.0)
    assert (lost.dice, lost.hausdorff95_mm, lost.volume_error_percent) == (0, None, -100)
    assert not found.any()


def test_noise_is_drawn_again_the_same_and_costs_something(average):
    one, again = (round_trip(average, mask_of(9), noise=1.0)[0] for _ in range(2))
    assert one == again
    assert one.dice_noisy < one.dice


def test_noise_has_the_spread_of_latents_at_lesions():
    z = torch.full((1, 2, 20, 20, 20), 5.0)
    z[:, 0, 12:] += 3 * torch.where(torch.rand(8, 20, 20) < 0.5, 1.0, -1.0)
    noise = noise_like(z)  # the second channel is the same everywhere
    assert float(noise[:, 0].std()) == pytest.approx(3, rel=0.05)
    assert not noise[:, 1].any()
    assert not noise_like(torch.ones_like(z)).any()


def test_means_by_size():
    rows = by_size([score(1, 0.6), score(1.9, 0.8), score(20, 0.9, error=5.0)])
    assert [(row["size"], row["masks"]) for row in rows] == [("< 2 ml", 2), (">= 20 ml", 1)]
    assert rows[0]["dice"] == pytest.approx(0.7)
    assert rows[0]["dice_min"] == 0.6
    assert rows[0]["volume_error_percent"] == 10


def test_masks_of_which_nothing_came_back_are_counted():
    (row,) = by_size([score(1, 0.0, far=None), score(1, 0.8, far=3.0)])
    assert (row["lost"], row["hausdorff95_mm"]) == (1, 3.0)
    (row,) = by_size([score(1, 0.0, far=None)])
    assert row["hausdorff95_mm"] is None


def test_pieces_by_size():
    rows = pieces_by_size([score(0.1, shares=(1.0, 0.4)), score(3.0)])
    assert [(row["size"], row["pieces"]) for row in rows] == [("< 0.1 ml", 2), (">= 1 ml", 1)]
    assert rows[0]["found"] == 0.5
    assert rows[0]["voxels"] == pytest.approx(0.7)


def test_groups_leave_no_gap():
    assert groups((2.0, 20.0)) == [
        ("< 2 ml", 0.0, 2.0),
        ("2-20 ml", 2.0, 20.0),
        (">= 20 ml", 20.0, np.inf),
    ]
