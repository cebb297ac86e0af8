"""The network that finds the brain: its grid, its file, and what becomes of its distances."""

from pathlib import Path

import numpy as np
import pytest
import torch

from neuromf.data import brain_network
from neuromf.data.brain_network import (
    FARTHEST_MM,
    SPACING_MM,
    BrainNetworkConfig,
    distances,
    load_brain_network,
    network_mask,
    new_brain_network,
    on_grid,
    save_brain_network,
    scaled,
)
from neuromf.data.volume import Volume, VolumeError
from neuromf.pretrained.statedict import WeightsError

NOWHERE = Path("a-network")
SMALL = BrainNetworkConfig((4, 4, 8, 8))


class Bright(torch.nn.Module):
    """Takes for brain what is brighter than half, sharply."""

    def forward(self, x):
        return (4 * (0.5 - x)).clamp(-1, 1)


def bright_head(spacing=(1.0, 1.0, 1.0), turn=None, extra=False):
    """A ball of 60 mm, grey, in it one of 35 mm, bright; `extra` adds a bright spot beside it."""
    shape = tuple(int(150 / s) for s in spacing)
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if turn is None else turn) * np.array(spacing)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    place = np.tensordot(affine[:3, :3], np.indices(shape), 1) + affine[:3, 3][:, None, None, None]
    radius = np.linalg.norm(place, axis=0)
    voxels = np.where(radius < 60, 40.0, 0) + np.where(radius < 35, 160.0, 0)
    if extra:
        voxels[np.linalg.norm(place - np.array([0, 0, 50.0])[:, None, None, None], axis=0) < 7] = (
            200
        )
    return Volume(voxels.astype(np.float32), affine), radius < 35


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.0, 4.0), (3.0, 0.8, 1.2)])
def test_a_mask_lies_where_the_brain_is(monkeypatch, spacing):
    monkeypatch.setattr(brain_network, "load_brain_network", lambda folder: Bright())
    volume, inside = bright_head(spacing)
    mask, record = network_mask(volume, NOWHERE)
    dice = 2 * (mask & inside).sum() / (mask.sum() + inside.sum())
    assert dice > 0.97
    centre = [np.argwhere(m).mean(0) * spacing for m in (mask, inside)]
    assert np.abs(centre[0] - centre[1]).max() < 0.3
    assert record == {"network": "a-network"}


def test_an_oblique_scan(monkeypatch):
    monkeypatch.setattr(brain_network, "load_brain_network", lambda folder: Bright())
    a = np.deg2rad(15)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    volume, inside = bright_head((1.5, 1.5, 2.0), turn)
    mask, _ = network_mask(volume, NOWHERE)
    assert 2 * (mask & inside).sum() / (mask.sum() + inside.sum()) > 0.97


def test_the_largest_piece_alone_is_kept(monkeypatch):
    monkeypatch.setattr(brain_network, "load_brain_network", lambda folder: Bright())
    (plain, _), (spotted, _) = (
        bright_head((2.0, 2.0, 2.0)),
        bright_head((2.0, 2.0, 2.0), extra=True),
    )
    one, two = (network_mask(v, NOWHERE)[0] for v in (plain, spotted))
    np.testing.assert_array_equal(one, two)


def test_no_brain(monkeypatch):
    class Nothing(torch.nn.Module):
        def forward(self, x):
            return torch.ones_like(x)

    monkeypatch.setattr(brain_network, "load_brain_network", lambda folder: Nothing())
    with pytest.raises(VolumeError, match="no brain is seen"):
        network_mask(bright_head((2.0, 2.0, 2.0))[0], NOWHERE)


def test_the_grid_holds_the_head():
    volume, _ = bright_head((1.0, 1.0, 2.0))
    grid = on_grid(volume)
    assert grid.spacing == pytest.approx((SPACING_MM,) * 3)
    assert all(n % 8 == 0 and n * SPACING_MM >= 120 + 24 for n in grid.voxels.shape)
    assert (grid.voxels.min(), grid.voxels.max()) == (0, 1)
    with pytest.raises(VolumeError, match="are its voxels right"):
        on_grid(Volume(volume.voxels, volume.affine @ np.diag([4, 4, 4, 1])))


def test_intensities_are_those_between_percentiles():
    values = np.arange(1001, dtype=np.float32)
    found = scaled(values)
    assert found[5] == 0
    assert found[995] == 1
    assert found[500] == pytest.approx(0.5)
    assert scaled(np.ones(10, np.float32)).max() == 0


def test_weights_come_back(tmp_path):
    torch.manual_seed(0)
    network = new_brain_network(SMALL)
    save_brain_network(tmp_path, network, SMALL)
    again = load_brain_network(tmp_path)
    x = np.random.default_rng(0).random((16, 16, 16)).astype(np.float32)
    network.half().float()  # as it was written
    np.testing.assert_allclose(distances(again, x), distances(network.eval(), x), atol=1e-4)
    assert np.abs(distances(again, x)).max() <= FARTHEST_MM


def test_files_that_are_not_a_network(tmp_path):
    with pytest.raises(WeightsError, match=r"holds no config\.json"):
        load_brain_network(tmp_path / "nowhere")
    one, two = tmp_path / "one", tmp_path / "two"
    for seed, folder in enumerate((one, two)):
        torch.manual_seed(seed)
        folder.mkdir()
        save_brain_network(folder, new_brain_network(SMALL), SMALL)
    (one / "config.json").write_bytes((two / "config.json").read_bytes())
    with pytest.raises(WeightsError, match="fingerprint"):
        load_brain_network(one)
    with pytest.raises(ValueError, match="4 numbers"):
        BrainNetworkConfig((8, 8))
