import math

import pytest

from neuromf.phantoms.config import PhantomConfig
from neuromf.phantoms.lesion_config import Dysplasia, Sclerosis
from neuromf.runtime.config import ConfigError, load


@pytest.mark.parametrize("schema", [Dysplasia, Sclerosis])
@pytest.mark.parametrize("bad", [(0.0, 1.0), (2.0, 1.0), (1.0, math.inf), (-1.0, 1.0)])
def test_ranges_are_checked(schema, bad):
    with pytest.raises(ValueError, match="ml is .*lowest and highest, both above 0"):
        schema(ml=bad)


@pytest.mark.parametrize(
    ("schema", "values"),
    [
        (Dysplasia, {"tail": 1.5}),
        (Dysplasia, {"edge_mm": 0.0}),
        (Sclerosis, {"edge_mm": 40.0}),
        (Sclerosis, {"reach_mm": 0.0}),
        (Sclerosis, {"n": (0, 0)}),
        (Sclerosis, {"n": (5, 4)}),
    ],
)
def test_settings_are_checked(schema, values):
    with pytest.raises(ValueError, match=f"{next(iter(values))} is"):
        schema(**values)


def test_no_lesions_at_all_are_asked_for_otherwise():
    with pytest.raises(ConfigError, match=r"lesion.ms.*n is \(0, 3\).*lesions=none"):
        load(PhantomConfig, ["lesions=ms", "lesion.ms.n=[0,3]"], "phantom")
    with pytest.raises(ConfigError, match="lesions"):
        load(PhantomConfig, ["lesions=stroke"], "phantom")
    assert load(PhantomConfig, ["lesions=none"], "phantom").lesions == "none"
