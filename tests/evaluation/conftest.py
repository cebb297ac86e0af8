import pytest

from features.support import write_set
from support import tiny_cohort


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """Folders: real (a prepared cohort, 16 held out), same (of the same kind), bright (of more)."""
    folder = tmp_path_factory.mktemp("world")
    tiny_cohort(folder / "real", n=20, shape=(32, 36, 32), val=0.3, test=0.5)
    write_set(folder / "same", range(100, 112))
    write_set(folder / "bright", range(100, 112), shift=0.15)
    write_set(folder / "others", range(200, 214))
    return folder


@pytest.fixture(scope="session")
def kept(tmp_path_factory):
    """One cache for all tests of the room."""
    return tmp_path_factory.mktemp("cache")
