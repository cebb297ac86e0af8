"""The verb says of a model that ignores its conditions that it does, and of real people what is true."""

import csv

import pytest
import torch

from neuromf.evaluation.conditions import ConditionsConfig, run, score
from neuromf.latents.store import LatentStore
from neuromf.nets.variables import Variable
from neuromf.training import command
from training.support import latent_store, tiny_config

AGE, SEX = Variable("age", (), 0.0, 9.0), Variable("sex", ("f", "m"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """48 latents, 16 held out; `size` is a number of each latent, `sex` says whether it is large."""
    folder = tmp_path_factory.mktemp("conditions")
    store = latent_store(folder / "latents", 48, val=16)
    latents = LatentStore(store)
    sizes = [float(latents[i][0].mean()) for i in range(48)]
    middle = sorted(sizes)[24]
    rows = [
        f"{e.name},{s:.5f},{'m' if s > middle else 'f'}"
        for e, s in zip(latents.entries, sizes, strict=True)
    ]
    table = folder / "people.csv"
    table.write_text("name,size,sex\n" + "\n".join(rows) + "\n")
    wanted = {"size": "number", "sex": "category"}
    config = tiny_config(store, updates=2, conditions=wanted, table=str(table))
    return store, table, command.run(config, folder / "run")


def asked(world, **changes):
    store, table, model = world
    values = {"model": str(model), "latents": str(store), "table": str(table), "n": 24}
    return ConditionsConfig(**(values | {"device": "cpu"} | changes))


def test_people_are_predicted_and_an_untrained_network_follows_nothing(world, tmp_path, capsys):
    rows = run(asked(world), tmp_path / "out")
    found = {(r["condition"], r["set"]): r for r in rows}
    people, drawn = found["size", "held-out people"], found["size", "samples, w = 1"]
    assert people["value"] > 0.8
    assert people["n"] == 16
    assert drawn["low"] < 0 < drawn["high"]
    assert found["sex", "held-out people"]["measure"] == "accuracy"
    assert "95 % interval" in capsys.readouterr().out
    with (tmp_path / "out" / "samples.csv").open() as stream:
        written = list(csv.DictReader(stream))
    assert sum(r["condition"] == "size" and r["set"] == "samples, w = 1" for r in written) == 24
    assert (tmp_path / "out" / "conditions.png").is_file()


def test_a_category_that_the_model_does_not_know_is_missing(world, tmp_path):
    """The latents have grown since the training."""
    head, *lines = world[1].read_text().splitlines()
    grown = [line.rpartition(",")[0] + ",x" if i % 4 == 0 else line for i, line in enumerate(lines)]
    table = tmp_path / "grown.csv"
    table.write_text("\n".join([head, *grown]) + "\n")
    rows = run(asked(world, table=str(table)), tmp_path / "out")
    counts = {r["condition"]: r["n"] for r in rows if r["set"] == "samples, w = 1"}
    assert counts["size"] == 24
    assert 0 < counts["sex"] < 24


def test_scores_with_intervals():
    x = torch.arange(10.0)
    r, interval = score(AGE, x, 2 * x + 1)
    assert r == pytest.approx(1)
    assert interval.high <= 1
    # Fisher's interval of r = .5, n = 28: tanh(.5493 -+ 1.96 / 5)
    y = torch.tensor([0.0, 1.0] * 14, dtype=torch.float64)
    z = y.clone()
    z[:7] = 1 - z[:7]
    accuracy, wilson = score(SEX, y, z)
    assert accuracy == 0.75
    assert wilson.low == pytest.approx(0.566, abs=0.001)
    assert wilson.high == pytest.approx(0.873, abs=0.001)
    assert score(AGE, x, torch.ones(10))[0] != score(AGE, x, torch.ones(10))[0]  # NaN


def test_what_cannot_be_judged(world, tmp_path):
    with pytest.raises(ValueError, match="model= and latents="):
        run(ConditionsConfig(), tmp_path / "out")
    plain = command.run(tiny_config(world[0], updates=1), tmp_path / "plain")
    with pytest.raises(ValueError, match="has no conditions"):
        run(asked(world, model=str(plain)), tmp_path / "out")
    with pytest.raises(ValueError, match="trained without"):
        run(asked(world, guidance=(2.0,)), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="no column"):
        (tmp_path / "t.csv").write_text("name,age\ns00,3\n")
        run(asked(world, table=str(tmp_path / "t.csv")), tmp_path / "out2")
