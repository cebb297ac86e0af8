import pytest
import torch

from neuromf.autoencoder import tiling
from neuromf.autoencoder.tiling import decode_in_tiles, tile_size, tile_weights
from support import tiny_vae_network


def test_whole_where_it_fits():
    assert tile_size((20, 24, 20), 4, 1000.0, None) == (20, 24, 20)
    assert tile_size((20, 24, 20), 4, 1000.0, 0.01) == (20, 24, 20)  # 9.6 MB of 10.7


def test_tiles_stay_below_the_bound():
    size, each = (48, 48, 48), 122_000.0
    for bound in (2.0, 4.0, 8.0):
        tile = tile_size(size, 4, each, bound)
        assert tile[0] * tile[1] * tile[2] * each + 12 * 64 * 48**3 <= bound * 2**30
        fewest = -(-(48 - 12) // (tile[0] - 12))  # tiles an axis
        side = int(
            ((bound * 2**30 - 12 * 64 * 48**3) / each) ** (1 / 3)
        )  # of the largest possible tile
        assert fewest == -(-(48 - 12) // (side - 12))
        assert tile[0] + (fewest - 1) * (tile[0] - 12) - 48 < fewest  # no larger than needed


def test_too_small_a_bound_says_what_is_needed():
    with pytest.raises(ValueError, match=r"within 0.1 GB: 0.5 GB are needed"):
        tile_size((48, 48, 48), 4, 122_000.0, 0.1)


@pytest.mark.parametrize("side", [16, 19, 24])
def test_a_function_of_each_voxel_is_tiled_exactly(monkeypatch, side):
    monkeypatch.setattr(tiling, "tile_size", lambda size, *_: tuple(min(n, side) for n in size))
    z = torch.randn(1, 4, 24, 20, 17)
    decode = lambda part: (
        part.sum(1, keepdim=True)
        .repeat_interleave(2, 2)
        .repeat_interleave(2, 3)
        .repeat_interleave(2, 4)
    )
    torch.testing.assert_close(
        decode_in_tiles(decode, z, 2, 1.0, 1.0), decode(z), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("side", [24, 30])
def test_no_seam(monkeypatch, side):
    """Tiles see zeros beyond their borders; what comes of that must not be seen."""
    network = tiny_vae_network().requires_grad_(False)
    z = torch.randn(1, 4, 40, 33, 17, generator=torch.Generator().manual_seed(0))
    whole = network.decode(z)
    monkeypatch.setattr(tiling, "tile_size", lambda size, *_: tuple(min(n, side) for n in size))
    tiled = decode_in_tiles(network.decode, z, 4, 1.0, 1.0)
    difference = (tiled - whole).abs() / whole.std()
    assert difference.max() < 0.05
    assert difference.mean() < 1e-3


def test_weights_rise_from_border_to_middle():
    weights = tile_weights((24, 24, 24), [0.5] * 3)
    line = weights[12, 12]
    assert weights.max() == 1
    assert (line[:12].diff() >= 0).all()
    assert line[0] < 1e-6
    torch.testing.assert_close(line, line.flip(0))
    assert weights.min() > 0
