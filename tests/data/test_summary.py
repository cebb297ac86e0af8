import pytest

from neuromf.data.splits import SplitConfig, split_subjects
from neuromf.data.summary import print_lesions, report


@pytest.mark.parametrize(
    ("people", "said"),
    [
        (
            20,
            "1 test: below 5 volumes an evaluation gives figures without intervals; split.test=0.25 in a new folder holds 5",
        ),
        (6, "6 people are too few to hold 5 out"),
        (200, ""),
    ],
)
def test_few_held_out_people_are_told(tmp_path, capsys, people, said):
    shares = SplitConfig()
    splits = split_subjects({f"s{i}": "" for i in range(people)}, shares)
    record = {
        "strip": {"method": "none"},
        "notes": [],
        "source_sha256": ["a"],
        "name": "a",
        "dataset": "",
        "intensity": {},
    }
    report(tmp_path, [record], [], [], splits, shares)
    printed = capsys.readouterr().out
    assert said in printed
    assert ("intervals" in printed) == bool(said)
    if "split.test=0.25" in said:
        again = split_subjects({f"s{i}": "" for i in range(people)}, SplitConfig(test=0.25))
        assert list(again.values()).count("test") >= 5


def test_lesions_are_counted(capsys):
    print_lesions([{"lesion_ml": ml} for ml in (4.0, 0.0, 1.0)] + [{}])
    said = capsys.readouterr().out
    assert "lesions: 3 with a mask, 1 without; median 1 ml, 0 to 4" in said
    assert "1 with an empty lesion mask" in said
    print_lesions([{}, {}])
    assert capsys.readouterr().out == ""
