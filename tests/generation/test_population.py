"""Samples of which nothing is asked are as the people of the training, where the model knows them."""

from collections import Counter

import pytest
import torch

from generation.support import model_config
from neuromf.generation.generator import Generator
from neuromf.generation.model import load_model, save_model
from neuromf.generation.population import (
    POPULATION,
    population_of,
    read_population,
    write_population,
)
from neuromf.nets.variables import Conditions, Variable
from support import randomised

CONDITIONS = Conditions((Variable("age", (), 20, 80), Variable("sex", ("F", "M"))))
PEOPLE = [{"age": "30", "sex": "M", "name": "b"}, {"age": "70", "sex": "F", "name": "a"},
          {"age": "n/a", "sex": "M", "name": "c"}, {"age": " ", "sex": "other", "name": "d"}]  # fmt: skip


@pytest.fixture(scope="module")
def generator(tmp_path_factory, vae_folder):
    folder = tmp_path_factory.mktemp("population") / "tiny"
    config = model_config(vae_folder, conditions=CONDITIONS)
    torch.manual_seed(0)
    state = randomised(config.build()).state_dict()
    save_model(folder, config, state, "# tiny\n", vae=str(vae_folder))
    write_population(folder, population_of(CONDITIONS, PEOPLE))
    return Generator(load_model(folder), "cpu")


def test_names_and_order_are_not_kept_nor_people_of_whom_nothing_is_known(generator):
    text = (generator.model.folder / POPULATION).read_text()
    assert text.split() == ["age,sex", ",M", "30,M", "70,F"]
    assert read_population(generator.model.folder, CONDITIONS) == (
        {"sex": "M"},
        {"age": "30", "sex": "M"},
        {"age": "70", "sex": "F"},
    )


def test_each_sample_is_as_one_of_them(generator):
    wanted = generator.asked(seed=3)
    drawn = Counter(tuple(sorted(wanted.row(i).items())) for i in range(600))
    assert len(drawn) == 3
    assert all(150 < count < 250 for count in drawn.values())
    again = generator.asked(seed=3)
    assert [again.row(i) for i in (17, 4)] == [wanted.row(i) for i in (17, 4)]
    other = generator.asked(seed=4)
    assert [other.row(i) for i in range(20)] != [wanted.row(i) for i in range(20)]


def test_the_sample_is_the_one_that_the_row_asks_for(generator):
    wanted = generator.asked(seed=1)
    row = wanted.row(2)
    by_hand = generator.latent(2, seed=1, asked=generator.asked(row))
    assert torch.equal(generator.latent(2, seed=1, asked=wanted), by_hand)
    known = {k: float(v) if k == "age" else v for k, v in row.items()}
    assert wanted.sidecar(2) == {"Conditions": known}
    volume = generator.generate(3, seed=1)[2]
    assert (volume.voxels == generator.decode(by_hand).voxels).all()


def test_who_asks_for_something_or_for_nothing_gets_that(generator):
    assert generator.asked({"age": 40}, seed=1).row(2) == {"age": "40"}
    nothing = generator.asked(population=False)
    assert not nothing.asks
    null = generator.latent(2, asked=nothing)
    assert torch.equal(generator.latent(2, asked=generator.asked({"age": None})), null)
    assert not torch.equal(generator.latent(2, asked=generator.asked()), null)


def test_a_population_of_another_model_is_refused(generator, tmp_path):
    (tmp_path / POPULATION).write_text("age,sex\n30,other\n")
    with pytest.raises(ValueError, match=r"population\.csv: not of this model .*one of F, M"):
        read_population(tmp_path, CONDITIONS)
    assert read_population(tmp_path, Conditions()) == ()
    assert read_population(tmp_path / "absent", CONDITIONS) == ()
