"""Latents that do not fit the network are refused with the key to set."""

import pytest

from neuromf.latents.shard import StoreError
from neuromf.nets import UNetConfig
from neuromf.training.data import Data, check_size
from training.support import tiny_config


def test_what_is_read_knows_where_it_comes_from(store):
    data = Data.read(tiny_config(store))
    assert (len(data.train), len(data.held_out)) == (18, 6)
    assert data.origin.spacing == (2.0, 2.0, 2.0)
    assert data.origin.components == data.store.components


@pytest.mark.parametrize(
    ("shape", "message"),
    [((8, 8, 8, 8), "network.latent_channels=8"), ((4, 8, 12, 8), "multiples of 8")],
)
def test_sizes_that_do_not_fit(shape, message):
    check_size("latents", (4, 8, 16, 8), UNetConfig())
    with pytest.raises(StoreError, match=message):
        check_size("latents", shape, UNetConfig())
