"""How sets are evaluated: what is refused at once."""

import pytest

from neuromf.evaluation.config import EvaluationConfig


def test_configuration_is_checked():
    for wrong, what in (
        ({"splits": ("tset",)}, "splits"),
        ({"bootstrap": 1}, "bootstrap 1"),
        ({"part": "9/8"}, "part"),
        ({"extractors": ()}, "extractors is empty"),
        ({"seed": -1}, "seed"),
        ({"workers": -1}, "workers -1"),
        ({"n": -1}, "n -1"),
        ({"pairs": 0}, "pairs 0"),
        ({"draws": 0}, "draws 0"),
        ({"bootstrap": 10**9}, "100000 at most"),
        ({"decode_memory_gb": float("nan")}, "decode_memory_gb is nan"),
        ({"decode_memory_gb": 0.0}, "decode_memory_gb is 0"),
    ):
        with pytest.raises(ValueError, match=what):
            EvaluationConfig(**wrong)
    assert EvaluationConfig(part="2/8").share() == (2, 8)
    assert EvaluationConfig().share() == (1, 1)
