"""Sets of small volumes that are alike or not, and measured material."""

from neuromf.evaluation.measured import Material
from neuromf.evaluation.sets import read_set
from neuromf.features.cache import Cache
from neuromf.features.extract import Features, Job, measure_all

MEASURES = ("random-3d", "voxels", "spectrum")


def material(folder, cache, measures=MEASURES):
    """Measure a folder."""
    volumes = read_set(str(folder))
    job = Job(tuple(measures), Cache(cache))
    found, failed = measure_all(volumes.paths, job)
    assert not failed
    return Material(volumes, Features(tuple(found), job))
