import pytest

from neuromf.verification.config import VerifyConfig


def test_processes_are_counted_from_0():
    with pytest.raises(ValueError, match="workers is -1"):
        VerifyConfig(workers=-1)
