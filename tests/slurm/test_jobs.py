"""launch=print and launch=slurm on a real SLURM: the training ends with the weights of one that
nothing happened to.
"""

import pytest

WAYS = ("print", "slurm")
pytestmark = [pytest.mark.slurm, pytest.mark.timeout(3000)]


@pytest.fixture
def whole(ended):
    """A training that nothing happened to."""
    return ended["undisturbed", "print"].result()


def assert_whole(found, whole):
    assert found.run == "finished"
    assert found.updates == whole.updates
    assert found.weights == whole.weights


@pytest.mark.parametrize("how", WAYS)
def test_a_job_runs_with_what_it_asked_for(ended, whole, how):
    found = ended["undisturbed", how].result()
    assert found.updates == list(range(1, len(found.updates) + 1))
    assert found.facts["Restarts"] == "0"
    assert "shelf:1" in found.facts["TresPerNode"]
    assert_whole(found, whole)


@pytest.mark.parametrize("how", WAYS)
def test_the_time_limit_is_survived(ended, whole, how):
    found = ended["time_limit", how].result()
    assert 4 <= len(found.seen["between"]) < len(whole.updates)
    assert found.seen["state"] == "interrupted"
    assert found.facts["Restarts"] == "1"
    assert_whole(found, whole)


@pytest.mark.parametrize("how", WAYS)
def test_scancel_ends_a_job_that_can_be_resumed(ended, whole, how):
    """It does not queue itself again, though a training takes SIGTERM for a wish to stop."""
    found = ended["cancelled", how].result()
    assert found.seen["first"]["JobState"] == "CANCELLED"
    assert found.seen["first"]["Restarts"] == "0"
    assert 4 <= len(found.seen["between"]) < len(whole.updates)
    assert found.seen["state"] == "interrupted"
    assert_whole(found, whole)


@pytest.mark.parametrize("how", WAYS)
def test_a_lost_node_and_a_drained_node_are_survived(ended, whole, how):
    found = ended["lost_node", ""].result()[how]
    assert 3 <= len(found.seen["down"]) < len(whole.updates)
    assert found.seen["draining"] == "RUNNING"
    assert found.facts["Restarts"] == "2"
    assert_whole(found, whole)
