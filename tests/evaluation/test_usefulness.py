import json
from dataclasses import replace

import pytest

from evaluation.support import generated_pairs, lesion_pair, prepared_pairs
from neuromf.data.volume import VolumeError
from neuromf.evaluation import usefulness
from neuromf.evaluation.usefulness import (
    Training,
    UsefulnessConfig,
    people_of,
    planned,
    read_rows,
    run,
    sizes_of,
    training_pairs,
)
from neuromf.runtime.config import ConfigError

PEOPLE = ["ada", "ben", "cleo", "dan"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Four people, generated pairs, and copies of two of the people and of others."""
    at = tmp_path_factory.mktemp("pairs")
    copies = [f"copy{number}" for number in range(4)]
    return {
        "real": str(prepared_pairs(at / "real", PEOPLE)),
        "generated": str(generated_pairs(at / "generated", 4)),
        "simulated": str(prepared_pairs(at / "simulated", copies, ["Ada", "ben", "eve", "fay"])),
    }


def config_of(folders, **changes):
    small = {"updates": 1, "patch": 16, "sizes": (0,), "seeds": (0,), "device": "cpu"}
    return UsefulnessConfig(**folders | small | changes)


def in_memory():
    """Return the sets of `folders` without voxels that matter."""
    real = [lesion_pair(name, name) for name in PEOPLE]
    copies = [lesion_pair(f"copy-{name}", name) for name in ("ada", "ben", "eve", "fay")]
    return {"real": real, "generated": [lesion_pair("g", "")], "simulated": copies}


def names(training):
    found = training_pairs(training, in_memory(), PEOPLE)
    return [{pair.person or pair.name for pair in pairs} for pairs in found]


def test_it_learns_and_says_so(folders, tmp_path, capsys):
    config = config_of(folders, updates=60, folds=(1,), arms=("real", "generated"))
    assert run(config, tmp_path / "out") == 0
    rows = read_rows(tmp_path / "out" / "trainings.csv")
    assert [(r.arm, r.size, r.fold, r.seed, r.person) for r in rows] == [
        ("real", 3, 1, 0, "ben"),
        ("generated", 0, 1, 0, "ben"),
    ]
    assert all(row.dice > 0.5 for row in rows)
    assert all(row.found_ml == pytest.approx(row.true_ml, rel=1) for row in rows)

    summary = json.loads((tmp_path / "out" / "usefulness.json").read_text())
    assert [line["arm"] for line in summary["lines"]] == ["real", "generated"]
    assert summary["lines"][0]["each"] == {"ben": rows[0].dice}
    assert summary["pairs"] == {"real": 4, "generated": 4}
    said = capsys.readouterr().out
    assert "2 trainings; after the first" in said
    assert "generated" in said


def test_a_resumed_study_trains_what_is_missing_and_gives_the_same(folders, tmp_path, monkeypatch):
    config = config_of(folders, folds=(0, 2), arms=("real", "real+simulated"))
    run(config, tmp_path / "whole")
    whole = read_rows(tmp_path / "whole" / "trainings.csv")

    real_train, trained = usefulness.train, []

    def counted(sources, *rest):
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(sources)
        return real_train(sources, *rest)

    monkeypatch.setattr(usefulness, "train", counted)
    with pytest.raises(KeyboardInterrupt):
        run(config, tmp_path / "out")
    assert len(read_rows(tmp_path / "out" / "trainings.csv")) == 2

    trained.clear()
    run(config, tmp_path / "out", resume=True)
    assert len(trained) == 2
    again = read_rows(tmp_path / "out" / "trainings.csv")
    assert [replace(r, seconds=0.0) for r in again] == [replace(r, seconds=0.0) for r in whole]

    # finished: nothing is trained; a study may grow by arms, and may be read in part
    trained[:] = [None, None]
    run(config, tmp_path / "out", resume=True)
    run(replace(config, arms=("real",)), tmp_path / "out", resume=True)
    summary = json.loads((tmp_path / "out" / "usefulness.json").read_text())
    assert [line["arm"] for line in summary["lines"]] == ["real"]
    with pytest.raises(ConfigError, match="updates"):
        run(replace(config, updates=2), tmp_path / "out", resume=True)
    with pytest.raises(ValueError, match="simulated= holds other pairs"):
        other = replace(config, simulated=folders["generated"])
        run(other, tmp_path / "out", resume=True)


def test_arms_use_the_pairs_they_name():
    assert names(Training("generated", 0, 0, 0)) == [{"g"}]
    assert names(Training("real", 3, 0, 0)) == [{"ben", "cleo", "dan"}]
    assert names(Training("real+generated", 3, 0, 0)) == [{"ben", "cleo", "dan"}, {"g"}]


@pytest.mark.parametrize("fold", range(4))
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [1, 2, 3])
def test_nobody_who_is_tested_is_trained_on_nor_a_copy_of_them(fold, seed, size):
    real, copies = names(Training("real+simulated", size, fold, seed))
    assert len(real) == size
    assert PEOPLE[fold] not in real | copies
    # a copy of a person who is not in the smaller set would make it a larger one
    assert copies & set(PEOPLE) <= real
    assert {"eve", "fay"} <= copies

    (alone,) = names(Training("simulated", 0, fold, seed))
    assert alone == {"ada", "ben", "eve", "fay"} - {PEOPLE[fold]}


def test_smaller_sets_are_the_same_for_all_arms_and_part_of_larger_ones():
    drawn = set()
    for seed in range(6):
        sets = [names(Training("real", size, 0, seed))[0] for size in (1, 2, 3)]
        assert sets[0] < sets[1] < sets[2]
        assert names(Training("real+generated", 2, 0, seed))[0] == sets[1]
        drawn.add(frozenset(sets[0]))
    assert len(drawn) > 1


def test_a_source_of_copies_of_the_tested_person_alone_is_refused():
    sets = in_memory() | {"simulated": [lesion_pair("copy", "ada")]}
    with pytest.raises(ValueError, match="simulated: all 1 pairs are copies.*when ada is tested"):
        training_pairs(Training("real+simulated", 3, 0, 0), sets, PEOPLE)


def test_the_plan_has_arms_without_real_pairs_once(folders):
    config = config_of(folders, sizes=(1, 2, 0), seeds=(0, 1))
    assert config.chosen() == ("real", "generated", "real+generated", "real+simulated")
    plan = planned(config, config.chosen(), 4)
    assert len(plan) == len(set(plan)) == 2 * 4 * (3 * 3 + 1)
    assert {t.size for t in plan if t.arm == "generated"} == {0}
    assert {t.size for t in plan if t.arm == "real"} == {1, 2, 3}
    assert [t.seed for t in plan] == sorted(t.seed for t in plan)
    assert plan == planned(config, config.chosen(), 4)
    few = planned(replace(config, folds=(3,), seeds=(1,), sizes=(2,)), ("real",), 4)
    assert few == [Training("real", 2, 3, 1)]


def test_people_and_sizes_that_make_no_study_are_refused(folders, tmp_path):
    with pytest.raises(ValueError, match="pairs of 2 people, 3 or more are needed"):
        people_of([lesion_pair(str(n), name) for n, name in enumerate(["a", "b", "a"])])
    with pytest.raises(ValueError, match="pairs of 0 people"):
        people_of(in_memory()["generated"] * 5)
    with pytest.raises(ValueError, match="sizes is .*4 people, of whom 3 can be.*sizes=.0, 2."):
        sizes_of(config_of(folders, sizes=(6, 2)), 4)
    with pytest.raises(ValueError, match="folds is .*people 0 to 3"):
        planned(config_of(folders, folds=(4,)), ("real",), 4)
    with pytest.raises(ValueError, match="patch=32 is larger than volumes of .*patch=24"):
        run(config_of(folders, patch=32), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_empty_mask_cannot_be_tested(tmp_path):
    folder = prepared_pairs(tmp_path / "real", PEOPLE, empty=("cleo",))
    with pytest.raises(ValueError, match="the mask of cleo is empty"):
        run(config_of({"real": str(folder)}), tmp_path / "out")


def test_sets_of_other_grids_are_refused(folders, tmp_path):
    other = prepared_pairs(tmp_path / "other", ["x", "y"], side=16)
    with pytest.raises(VolumeError, match="simulated: x has 16 x 16 x 16"):
        run(config_of(folders | {"simulated": str(other)}), tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arms": ("real+magic",)}, r"arm 'real\+magic': real, generated, simulated"),
        ({"arms": ("real+real",)}, "several joined by"),
        ({"arms": ("real", "real")}, "each once"),
        ({"seeds": ()}, "one or more each"),
        ({"sizes": (-1,)}, "nothing below 0"),
    ],
)
def test_settings_that_make_no_study_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        UsefulnessConfig(real="real", **change)


def test_sets_that_an_arm_needs_have_to_be_given():
    with pytest.raises(ValueError, match="real= is empty"):
        UsefulnessConfig(generated="x").chosen()
    with pytest.raises(ValueError, match="simulated= is empty"):
        UsefulnessConfig(real="x", arms=("real", "real+simulated")).chosen()
    assert UsefulnessConfig(real="x").chosen() == ("real",)
