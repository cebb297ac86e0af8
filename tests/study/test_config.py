import pytest

from neuromf.study.config import SweepConfig

STEPS = {"train": ["train"]}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"steps": {}}, "steps is empty"),
        ({"seeds": ()}, "one or more"),
        ({"seeds": (1, 1)}, "each once"),
        ({"seeds": (-1,)}, "0 or more"),
        ({"workers": -1}, "workers is -1"),
        ({"retries": -1}, "retries is -1"),
    ],
)
def test_what_cannot_be_is_refused(more, message):
    with pytest.raises(ValueError, match=message):
        SweepConfig(**({"steps": STEPS} | more))
