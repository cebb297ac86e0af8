from dataclasses import dataclass, field
from typing import Any

import pytest

from neuromf.runtime import config as settings
from neuromf.torus import ToyConfig


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    sizes: tuple[int, ...] = (1, 2)

    def __post_init__(self):
        if self.rate < 0:
            raise ValueError(f"rate is {self.rate}: 0 or more")


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    seed: int = 0


@dataclass(frozen=True)
class Paths:
    file: str = ""
    files: Any = ""


@pytest.mark.parametrize(
    "text", ["2024_01", "/data/my #1 study", "/data/a: b", "*.nii.gz", "ü/null", "007"]
)
def test_text_is_taken_as_it_stands(text):
    assert settings.load(Paths, [f"file={text}", f"files={text}"], "toy") == Paths(text, text)
    assert settings.load(Paths, ["files=[a, b c]"], "toy").files == ["a", "b c"]


def test_later_words_win(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("inner: {rate: 0.1, sizes: [3]}\nseed: 4\n")
    config = settings.load(Outer, [str(file), "inner.rate=0.2", "seed=7"], "toy")
    assert config == Outer(Inner(0.2, (3,)), 7)


def test_yaml_round_trip(tmp_path):
    config = settings.load(ToyConfig, ["preset=quick", "seed=3"], "toy")
    (tmp_path / "again.yaml").write_text(settings.to_yaml(config))
    assert settings.load(ToyConfig, [str(tmp_path / "again.yaml")], "toy") == config


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("inner.rat=1", r"unknown key 'inner.rat' in 'inner.rat=1': did you mean 'inner.rate'\?"),
        ("rate=1", r"did you mean 'inner.rate'\?"),
        ("colour=1", "known here are inner, seed"),
        ("seed=1.5", "seed in 'seed=1.5': Value '1.5'"),
        ("inner.sizes=[a]", r"inner.sizes in 'inner.sizes=\[a\]': Value in the list"),
        ("inner.rate=-1", "inner: rate is -1.0: 0 or more"),
        ("preset=none", "unknown preset 'none': toy has .*quick"),
        ("missing.yaml", "'missing.yaml' is no file"),
        ("inner={rate: ", "not readable as key=value"),
    ],
)
def test_refusals_name_the_full_key(word, message):
    with pytest.raises(settings.ConfigError, match=message):
        settings.load(Outer, [word], "toy")


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "a: [1\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(settings.ConfigError, match=r"bad.yaml"):
        settings.load(Outer, [str(tmp_path / "bad.yaml")], "toy")


def test_a_mistyped_word_adds_no_entry_to_a_dictionary():
    with pytest.raises(
        settings.ConfigError, match=r"unknown key 'arms.r4x'.*did you mean 'arms.r4-x'\?"
    ):
        settings.load(ToyConfig, ["preset=quick", "arms.r4x.epochs=5"], "toy")


@dataclass(frozen=True)
class Loose:
    anything: Any = ""
    text: str = ""
    rates: tuple[float, ...] = (0.5,)
    inner: Inner | None = None
    rate: float = 1.0
    count: int = 1


def test_one_value_stands_for_a_list_of_one():
    assert settings.load(Loose, ["rates=0.9"], "toy").rates == (0.9,)
    assert settings.load(Loose, ["rates=[0.9,0.8]"], "toy").rates == (0.9, 0.8)


def test_a_part_that_is_not_there_yet_can_be_set():
    assert settings.load(Loose, ["inner.rate=3"], "toy").inner == Inner(rate=3)


def test_text_with_a_dollar_is_taken_as_it_stands(tmp_path):
    loaded = settings.load(Loose, ["anything=scans/${d}", "text=${x}"], "toy")
    assert (loaded.anything, loaded.text) == ("scans/${d}", "${x}")
    path = tmp_path / "a.yaml"
    path.write_text("text: ${d}\n")
    with pytest.raises(settings.ConfigError, match=r"text: .*names another key; write \\\$"):
        settings.load(Loose, [str(path)], "toy")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("rate=nan", "rate is nan"),
        ("rates=[1,nan]", "rates.1 is nan"),
        ("anything={a: .nan}", "anything.a is nan"),
        ("count=99999999999999999999", r"up to 2\*\*63"),
        ("age=70", "known here are anything, text"),
        ("conut=3", "did you mean 'count'"),
    ],
)
def test_numbers_and_names_that_mean_nothing(word, said):
    with pytest.raises(settings.ConfigError, match=said):
        settings.load(Loose, [word], "toy")
