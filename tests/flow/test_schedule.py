import pytest

from neuromf.flow import Ramp


@pytest.mark.parametrize("shape", ["linear", "cosine"])
def test_flat_then_ramp_then_flat(shape):
    ramp = Ramp(1.0, 0.5, 0.2, 0.4, shape)
    assert [ramp.at(p) for p in (0, 0.1, 0.2, 0.4, 1)] == [1, 1, 1, 0.5, 0.5]
    assert ramp.at(0.3) == pytest.approx(0.75)
    assert 1 > ramp.at(0.25) > ramp.at(0.35) > 0.5


def test_equal_ends_are_a_jump():
    ramp = Ramp(1.0, 0.0, 0.5, 0.5)
    assert (ramp.at(0.499), ramp.at(0.5)) == (1, 0)


@pytest.mark.parametrize("ends", [(-0.1, 0.5), (0.6, 0.5), (0.5, 1.1)])
def test_bad_ends_are_refused(ends):
    with pytest.raises(ValueError, match="begin|finish"):
        Ramp(1, 0, *ends)
