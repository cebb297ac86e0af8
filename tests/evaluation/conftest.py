"""Sets of small volumes that are alike or not, and measured material."""

import pytest

from conftest import tiny_cohort
from features.conftest import write_set
from neuromf.evaluation.measured import Material
from neuromf.evaluation.sets import read_set
from neuromf.features.cache import Cache
from neuromf.features.extract import Features, Job, measure_all

MEASURES = ("random-3d", "voxels", "spectrum")


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


def material(folder, cache, measures=MEASURES):
    """Measure a folder."""
    volumes = read_set(str(folder))
    job = Job(tuple(measures), Cache(cache))
    found, failed = measure_all(volumes.paths, job)
    assert not failed
    return Material(volumes, Features(tuple(found), job))
