import pytest

from features.support import write_set


@pytest.fixture(scope="session")
def volumes(tmp_path_factory):
    """Six volumes."""
    return write_set(tmp_path_factory.mktemp("volumes") / "some", range(6))
