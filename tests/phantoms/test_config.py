import numpy as np
import pytest

from neuromf.phantoms.config import Appearance, PhantomConfig


@pytest.mark.parametrize("key", ["contrast", "bias", "bias_smooth_mm", "noise"])
@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf])
def test_appearance_is_checked(key, value):
    with pytest.raises(ValueError, match="nothing negative"):
        Appearance(**{key: value})


@pytest.mark.parametrize(
    "bad",
    [
        {"spacing": 1e-9},
        {"spacing": np.nan},
        {"shape": (80, 80)},
        {"shape": (4000, 4000, 4000)},
        {"seed": -1},
        {"workers": -1},
    ],
)
def test_settings_are_checked(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        PhantomConfig(**bad)
