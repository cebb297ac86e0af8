"""Latents that do not fit the network are refused with the key to set."""

from dataclasses import replace

import pytest

from neuromf.latents.shard import StoreError
from neuromf.nets import UNetConfig
from neuromf.nets.variables import Conditions, Variable
from neuromf.training.conditions import Known
from neuromf.training.data import Data, check_size
from training.support import latent_store, tiny_config


def test_what_is_read_knows_where_it_comes_from(store):
    data = Data.read(tiny_config(store))
    assert (len(data.train), len(data.held_out)) == (18, 6)
    assert data.origin.spacing == (2.0, 2.0, 2.0)
    assert data.origin.components == data.store.components


def test_one_subject_and_conditions_of_which_nothing_is_known_are_said(store, tmp_path):
    config = tiny_config(store)
    data = Data.read(config)
    assert data.warnings() == []
    taken_over = Conditions((Variable("contrast", ("T1w", "T2w")), Variable("age", (), 0, 99)))
    known = Known.read(config, data.store, taken_over)
    known.values["age"][3] = 40.0  # of one latent it is known
    (said,) = replace(data, known=known).warnings()
    assert "no training latent has a value for contrast" in said

    alone = Data.read(tiny_config(latent_store(tmp_path / "alone", n=7, val=6)))
    assert "one subject" in alone.warnings()[0]


@pytest.mark.parametrize(
    ("shape", "message"),
    [((8, 8, 8, 8), "network.latent_channels=8"), ((4, 8, 12, 8), "multiples of 8")],
)
def test_sizes_that_do_not_fit(shape, message):
    check_size("latents", (4, 8, 16, 8), UNetConfig())
    with pytest.raises(StoreError, match=message):
        check_size("latents", shape, UNetConfig())
