import pytest

from neuromf.generation.asked import NOTHING, asked
from neuromf.nets.variables import Conditions, Variable

MODEL = Conditions((Variable("age", (), 20.0, 80.0), Variable("sex", ("f", "m"))), guidance=3.0)


def test_one_condition_is_every_samples():
    found = asked(MODEL, {"age": 70}, guidance=1.5, interval=(0.1, 0.9))
    assert found.row(0) == found.row(9) == {"age": "70"}
    expected = {"Conditions": {"age": 70.0}, "Guidance": 1.5, "GuidanceInterval": [0.1, 0.9]}
    assert found.sidecar(3) == expected
    condition = found.condition(3)
    assert condition is not None
    assert condition["age"].tolist() == [70]
    assert condition["sex"].isnan().all()
    assert condition["guidance"].tolist() == [pytest.approx([1.5, 0.1, 0.9])]
    assert (NOTHING.condition(0), NOTHING.sidecar(0)) == (None, {})


def test_a_table_asks_for_a_sample_a_row(tmp_path):
    table = tmp_path / "wanted.tsv"
    table.write_text("participant_id\tAge\tsex\nsub-1\t30\tf\nsub-2\tn/a\tm\nsub-3\t\t\n")
    found = asked(MODEL, {"age": 50}, str(table))
    assert found.rows == ({"age": "30", "sex": "f"}, {"age": "n/a", "sex": "m"}, {"age": "50"})
    assert found.sidecar(1) == {"Conditions": {"sex": "m"}}


def test_what_lies_outside_the_training_data_is_said_once(tmp_path):
    (tmp_path / "t.csv").write_text("age\n90\n90\n30\n")
    assert asked(MODEL, None, str(tmp_path / "t.csv")).warnings == ["age=90, training had 20 to 80"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"condition": {"weight": 3}}, "'weight' is not one of this model's: age, sex"),
        ({"condition": {"sex": "x"}}, "sex is 'x': one of f, m"),
        ({"condition": {"age": "old"}}, "finite number"),
        ({"guidance": 2.0}, "nothing is asked for"),
        ({"condition": {"age": 3}, "guidance": 9.0}, "scales from 1 to 3"),
        ({"condition": {"age": 3}, "interval": (0.5,)}, "first and the last t"),
    ],
)
def test_what_the_model_does_not_know_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        asked(MODEL, **options)


def test_tables_that_ask_for_nothing_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        asked(MODEL, None, str(tmp_path / "none.csv"))
    (tmp_path / "other.csv").write_text("height\n3\n")
    with pytest.raises(ValueError, match="none of this model's conditions: age, sex"):
        asked(MODEL, None, str(tmp_path / "other.csv"))
    (tmp_path / "empty.csv").write_text("age\n")
    with pytest.raises(ValueError, match="no row"):
        asked(MODEL, None, str(tmp_path / "empty.csv"))


def test_guidance_that_a_flow_was_not_trained_with_is_led_by_a_second_call():
    known = Conditions((Variable("contrast", ("T1w", "T2w")),))
    found = asked(known, {"contrast": "T1w"}, guidance=2.0, flow=True)
    assert found.led
    assert found.condition(0)["contrast"].tolist() == [0]
    assert found.sidecar(0)["Guidance"] == 2.0
    assert not asked(known, {"contrast": "T1w"}, flow=True).led
    assert not asked(MODEL, {"age": 50}, guidance=2.0, flow=True).led  # the network takes it
    with pytest.raises(ValueError, match="trained without"):
        asked(known, {"contrast": "T1w"}, guidance=2.0)
    with pytest.raises(ValueError, match=r"guidance is 0.5 for t from 0.0 to 1.0: 1 or more"):
        asked(known, {"contrast": "T1w"}, guidance=0.5, flow=True)
