import importlib
import signal

import pytest

from neuromf.runtime import signals


def test_a_cluster_may_ask_with_each_of_three():
    assert set(signals.REQUESTS) == {signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2}
    assert set(signals.STOPPING) == {*signals.REQUESTS, signal.SIGINT}


def test_a_system_without_them_has_the_others():
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(signal, "SIGUSR1")
        patch.delattr(signal, "SIGUSR2")
        importlib.reload(signals)
        assert signals.STOPPING == (signal.SIGTERM, signal.SIGINT)
    importlib.reload(signals)
