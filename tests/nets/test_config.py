import pytest

from neuromf.nets import UNetConfig


@pytest.mark.parametrize(
    ("options", "message"),
    [({"conditioning": "t"}, "conditioning is 't'"), ({"channels": (32, 64)}, "one per level"),
     ({"channels": (64, 128, 256, 500)}, "multiple of norm_groups"), ({"attention_head_channels": (0, 0, 48, 32)}, "head_channels is 48"),
     ({"attention": (False,) * 4, "attention_head_channels": (0, 0, 0, 0)}, "middle block always attends"),
     ({"norm_groups": 0}, "norm_groups is 0"), ({"lowest_frequency": 0}, "0 < lowest"), ({"res_blocks": 0}, "res_blocks")],
)  # fmt: skip
def test_bad_sizes_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        UNetConfig(**options)


def test_a_level_halves_the_size():
    assert UNetConfig().divisor == 8
    assert (
        UNetConfig(
            channels=(32, 64), attention=(False, True), attention_head_channels=(0, 32)
        ).divisor
        == 2
    )
