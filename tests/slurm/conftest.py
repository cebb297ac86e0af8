"""One SLURM and one set of trainings for all tests: the scenarios run side by side, since they
mostly wait.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from neuromf.runtime.cluster import Job
from slurm import scenarios
from slurm.support import Cluster, missing
from training.support import latent_store, tiny_config

UPDATES = 16


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    lacking = missing()
    if lacking:
        pytest.skip(f"no {', '.join(lacking)} here: tests/slurm/install.sh installs them as root")
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="session")
def ended(cluster, tmp_path_factory):
    """The outcome of each scenario and way, to be waited for."""
    folder = tmp_path_factory.mktemp("runs")
    store = latent_store(folder / "latents")

    def job(name: str) -> Job:
        config = tiny_config(store, updates=UPDATES)
        return Job("train", "neuromf.training.command", config, folder / name)

    with ThreadPoolExecutor(16) as pool:
        futures = {
            (scenario.__name__, how): pool.submit(scenario, job, how)
            for scenario in (scenarios.undisturbed, scenarios.time_limit, scenarios.cancelled)
            for how in ("print", "slurm")
        }
        futures["lost_node", ""] = pool.submit(scenarios.lost_node, job)
        yield futures
