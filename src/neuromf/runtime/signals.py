"""The signals that ask a run to stop, as far as a system has them."""

from __future__ import annotations

import signal

# USR1, USR2: before the time of a cluster's job is over; Windows has neither
REQUESTS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)
)
STOPPING = (*REQUESTS, signal.SIGINT)  # Ctrl-C too
