"""Which of several processes this is, and what only the first one says."""

from __future__ import annotations

import logging
import os
import warnings

from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.utilities.warnings import PossibleUserWarning

log = logging.getLogger("neuromf")


def rank() -> int:
    """Return the number of this process among those that train together, before they are
    connected.
    """
    names = ("RANK", "SLURM_PROCID") if in_job() else ("RANK", "LOCAL_RANK", "NODE_RANK")
    found = [int(os.environ[name]) for name in names if name in os.environ]
    return found[0] if "RANK" in os.environ else max(found, default=0)


def in_job() -> bool:
    """Return True for a process that srun started, as those of launch=slurm are."""
    with warnings.catch_warnings():
        # on a login node Lightning recommends srun, which launch=slurm calls
        warnings.filterwarnings("ignore", category=PossibleUserWarning)
        return SLURMEnvironment.detect()


def note(text: str) -> None:
    """Tell the user, and the log."""
    log.warning("%s", text)
    if rank() == 0:
        print(f"note: {text}")
