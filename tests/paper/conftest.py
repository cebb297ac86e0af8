"""Pictures of the method without a network, which takes seconds."""

import numpy as np
import pytest

from neuromf.paper import method_figure
from neuromf.paper.command import run
from neuromf.paper.config import PaperConfig, Studies
from neuromf.paper.method_pictures import TIMES, Pictures
from paper.support import FIDS, compared, torus


@pytest.fixture(autouse=True, scope="session")
def quick_pictures():
    """Figure 1 shows made planes; `test_method_pictures` makes the real ones."""
    chance = np.random.default_rng(0)
    tiles = [chance.normal(size=(24, 20)).astype(np.float32) for _ in range(4)]
    plane = chance.random((96, 80)).astype(np.float32)
    made = Pictures(plane, [tiles for _ in TIMES], tiles, tiles, plane, "a" * 64, "b" * 64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(method_figure, "pictures", lambda: made)
        yield


@pytest.fixture(scope="session")
def made(tmp_path_factory, quick_pictures):
    """A folder with a comparison, a study whose name needs escapes, and `out`, their paper."""
    folder = tmp_path_factory.mktemp("paper")
    studies = Studies(torus=str(torus(folder / "a_b%.csv")), blobs=str(folder / "gone_%.csv"))
    config = PaperConfig(compare=(str(compared(folder / "compare", FIDS)),), studies=studies)
    assert run(config, folder / "out") == 0
    return folder
