import pytest

from neuromf.data.cohort import read_cohort
from neuromf.latents.grids import check_grids, one_shape, stored_shape
from neuromf.latents.shard import StoreError
from neuromf.latents.store import LatentStore
from support import LATENT_SHAPE, tiny_cohort


def test_one_grid_for_all(cohort, tmp_path):
    volumes = read_cohort(cohort)
    check_grids(volumes)
    other = read_cohort(tiny_cohort(tmp_path / "other", n=1, shape=(24, 24, 24)))
    with pytest.raises(StoreError, match="prepare all with one preset"):
        check_grids([*volumes, *other])


def test_one_shape_for_all(store_folder):
    assert one_shape((), (4, 2, 2, 2), "a") == one_shape((4, 2, 2, 2), (4, 2, 2, 2), "b")
    with pytest.raises(StoreError, match=r"latent of b has shape \(4, 2, 2, 3\)"):
        one_shape((4, 2, 2, 2), (4, 2, 2, 3), "b")
    assert stored_shape(store_folder, LatentStore(store_folder).entries) == LATENT_SHAPE
    assert stored_shape(store_folder, []) == ()
