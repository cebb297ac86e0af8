"""What is known of each latent: read once, dropped as the seed says, kept in the model folder."""

import json
from dataclasses import replace

import pytest
import torch

from neuromf.flow.guidance import GUIDANCE, Guidance
from neuromf.generation.generator import load
from neuromf.generation.model import load_model
from neuromf.latents.dataset import LatentAugmentation
from neuromf.latents.shard import StoreError
from neuromf.latents.store import LatentStore
from neuromf.nets.variables import Conditions, Variable
from neuromf.runtime.config import ConfigError
from neuromf.training import command, export
from neuromf.training.conditions import Known
from neuromf.training.start import start_model
from training.support import tiny_config

KINDS = {"age": "number", "sex": "category"}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Of 24 subjects, the first 18 train; nothing is known of one of them, one held-out sex is new."""
    rows = [f"sub-s{i:02d},{20 + 2 * i},{'fm'[i % 2]}" for i in range(18)]
    rows[4] = "sub-s04,n/a,"
    rows += [f"s{i},{20 + 2 * i},x" for i in range(18, 24)]
    path = tmp_path_factory.mktemp("table") / "people.csv"
    path.write_text("participant_id,age,sex\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture
def config(store, table):
    return tiny_config(
        store, conditions=KINDS, table=str(table), guidance=Guidance(largest=3.0), batch=6
    )


def test_vocabulary_and_range_are_those_of_the_training_split(config, store):
    known = Known.read(config, LatentStore(store))
    age, sex = known.conditions.variables
    assert (age, sex) == (Variable("age", (), 20.0, 54.0), Variable("sex", ("f", "m")))
    assert known.values["age"][[0, 1, 23]].tolist() == [20, 22, 66]
    assert known.values["age"][4].isnan()
    assert known.values["sex"][18:].isnan().all()  # the network has never seen x


def test_dropping_is_a_function_of_the_seed_and_unknown_rows_are_not_guided(config, store):
    known = Known.read(config, LatentStore(store))
    often = Guidance(dropout=0.4, largest=3.0)
    draw = lambda seed: known.drawn(
        [0, 1, 4] * 200, often, torch.Generator().manual_seed(seed)
    )  # fmt: skip
    condition, null = draw(1)
    again, _ = draw(1)
    assert all(torch.equal(v.nan_to_num(), again[k].nan_to_num()) for k, v in condition.items())

    dropped = condition["age"].isnan()
    assert torch.equal(dropped, condition["sex"].isnan())
    share = dropped.reshape(-1, 3)[:, :2].double().mean()
    assert abs(share - 0.4) < 0.07  # 3 standard errors of 400 draws
    assert dropped.reshape(-1, 3)[:, 2].all()
    assert (condition[GUIDANCE][dropped] == torch.tensor([1.0, 0.0, 1.0])).all()
    assert (condition[GUIDANCE][~dropped, 0] > 1).all()
    assert null["age"].isnan().all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conditions": {"height": "number"}}, "no column height: it has participant_id, age, sex"),
        ({"conditions": {"sex": "number"}}, "sex is 'f'"),
        ({"table": "", "conditions": {"height": "number"}}, "the latents know age, sex"),
        ({"table": "", "conditions": {"site": "category"}}, "site is not known of any"),
    ],
)
def test_columns_and_values_that_cannot_be_used(config, store, changes, message):
    with pytest.raises(ValueError, match=message):
        Known.read(replace(config, **changes), LatentStore(store))


def test_flipped_latents_are_not_conditioned_on_a_side(store):
    flipped = tiny_config(store, augmentation=LatentAugmentation(flip=True))
    given = replace(flipped, conditions={"lesion_x": "number"})
    adapted = Conditions((Variable("lesion_x", (), 0.0, 1.0),))
    for config, base in ((given, Conditions()), (flipped, adapted)):
        with pytest.raises(ValueError, match=r"swaps left and right .* set augmentation\.flip=fal"):
            Known.read(config, LatentStore(store), base)


def test_a_table_of_other_people_is_refused(config, store, tmp_path):
    (tmp_path / "other.csv").write_text("subject,age,sex\nanna,30,f\n")
    with pytest.raises(StoreError, match="names none of the latents, such as s00"):
        Known.read(replace(config, table=str(tmp_path / "other.csv")), LatentStore(store))


def test_a_table_that_says_two_things_of_a_person_is_refused(config, store, table, tmp_path):
    again = tmp_path / "again.csv"
    twice = replace(config, table=str(again))
    again.write_text(table.read_text() + "sub-s02,25,f\n")
    with pytest.raises(StoreError, match="participant_id sub-s02, in which age is '24' and '25'"):
        Known.read(twice, LatentStore(store))
    same = Known.read(config, LatentStore(store)).sha256
    for row in ("sub-s02,24,f", "anna,1,f\nanna,2,m"):  # nothing new, and nobody of the latents
        again.write_text(table.read_text() + row + "\n")
        assert Known.read(twice, LatentStore(store)).sha256 == same


def test_settings_without_conditions_are_refused(store):
    with pytest.raises(ValueError, match="there are no conditions"):
        tiny_config(store, guidance=Guidance(largest=3.0))
    with pytest.raises(ValueError, match=r"conditions\.age is 'word': number or category"):
        tiny_config(store, conditions={"age": "word"})
    with pytest.raises(ValueError, match="dropout is 0"):
        Guidance(dropout=0.0, largest=2.0)


def test_a_guided_call_of_the_trained_model_is_one_call(config, tmp_path):
    """One guided call is one call of the network; the folder knows vocabulary and ranges."""
    short = replace(config, updates=2)
    model = command.run(short, tmp_path / "run")
    loaded = load_model(model)
    assert loaded.config.conditions == Conditions(
        (Variable("age", (), 20.0, 54.0), Variable("sex", ("f", "m"))), 3.0
    )
    card = (model / "README.md").read_text()
    assert "| condition `age` | number: 20 to 54 |" in card

    out = tmp_path / "exported"
    export.run(export.ExportConfig(str(tmp_path / "run"), population=True), out)
    people = (out / "population.csv").read_text().split()
    assert people[:3] == ["age,sex", "20,f", "22,m"]
    assert len(people) == 1 + 17  # of one of the 18 nothing is known
    assert load(out, "cpu").asked().asks

    calls = []
    drawn = load(model, "cpu")
    drawn.model.network.body.conv_in.register_forward_hook(lambda *_: calls.append(1))
    wanted = drawn.asked({"age": 30, "sex": "m"}, guidance=2.0)
    latent = drawn.latent(0, asked=wanted)
    assert len(calls) == 1
    assert latent.isfinite().all()


def test_copies_are_no_people_of_a_population(config, monkeypatch):
    store = LatentStore(config.latents)
    parents = ["s00" if e.subject > "s10" else "" for e in store.entries]
    store.entries = [replace(e, parent=p) for e, p in zip(store.entries, parents, strict=True)]
    monkeypatch.setattr(export, "LatentStore", lambda location: store)
    known = Known.read(config, LatentStore(config.latents)).conditions
    people = export.training_population(config, known)
    ages = [p["age"] for p in people]
    assert ages == [str(age) for age in range(20, 41, 2) if age != 28]  # of one nothing is known
    strangers = Conditions((Variable("site", ("a", "b")),))
    with pytest.raises(ConfigError, match="nothing is known of the 11 people in .*no site"):
        export.training_population(replace(config, table=""), strangers)
    with pytest.raises(ConfigError, match="takes no conditions"):
        export.training_population(config, Conditions())


def test_a_run_is_not_resumed_with_other_conditions(config, table, tmp_path):
    own = tmp_path / "people.csv"
    own.write_text(table.read_text())
    config = replace(config, table=str(own), updates=2)
    command.run(config, tmp_path / "run")
    own.write_text(table.read_text().replace("sub-s01,22", "sub-s01,23"))
    with pytest.raises(ValueError, match="other conditions of these latents"):
        command.run(config, tmp_path / "run", resume=True)


def test_a_start_with_other_conditions_is_refused(config, store, tmp_path):
    model = command.run(replace(config, updates=1), tmp_path / "run")
    store_of = LatentStore(store)
    other = Conditions((Variable("age", (), 0.0, 9.0),))
    with pytest.raises(ValueError, match=r"conditions age \(20 to 54\).*this run has age \(0 to 9"):
        start_model(tiny_config(store, start=str(model)), store_of.components, other)
    assert json.loads((model / "config.json").read_text())["conditions"]["guidance"] == 3.0
