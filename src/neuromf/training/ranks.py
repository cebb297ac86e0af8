"""Which of several processes this is, and what only the first one says."""

from __future__ import annotations

import logging
import os

from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

log = logging.getLogger("neuromf")


def rank() -> int:
    """Return the number of this process among those that train together, before they are
    connected.
    """
    slurm = SLURMEnvironment.detect()
    names = ("RANK", "SLURM_PROCID") if slurm else ("RANK", "LOCAL_RANK", "NODE_RANK")
    found = [int(os.environ[name]) for name in names if name in os.environ]
    return found[0] if "RANK" in os.environ else max(found, default=0)


def note(text: str) -> None:
    """Tell the user, and the log."""
    log.warning("%s", text)
    if rank() == 0:
        print(f"note: {text}")
