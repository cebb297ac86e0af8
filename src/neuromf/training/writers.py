"""Where else the numbers and pictures of a run go: TensorBoard, Weights & Biases."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neuromf.runtime.files import write_text

log = logging.getLogger("neuromf")
WANDB_ID = Path("wandb") / "id.txt"  # in the run's folder: a resumed run goes on there


class Writer(Protocol):
    """What numbers and pictures of a run are sent to."""

    def add_scalar(self, name: str, value: float, update: int) -> None: ...

    def add_image(
        self, name: str, pixels: NDArray[np.uint8], update: int, dataformats: str = "HWC"
    ) -> None: ...

    def close(self) -> None: ...


def writers(out: Path, update: int, project: str) -> list[Writer]:
    """Return what a run that stands at an update is sent to: TensorBoard where it is installed, and
    Weights & Biases where a project is named.
    """
    found: list[Writer] = []
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        log.info(
            "tensorboard is not installed (pip install 'neuromf[log]'): log.csv holds the same "
            "numbers"
        )
    else:
        made: Any = SummaryWriter(str(out / "tensorboard"), purge_step=update + 1)
        found.append(made)
    if project:
        found.append(WeightsAndBiases(out, project))
    return found


def check_project(project: str) -> None:
    """Raise ValueError where a project is named and Weights & Biases is not installed."""
    if project and importlib.util.find_spec("wandb") is None:
        raise ValueError(
            f"wandb={project} needs Weights & Biases, which is not installed: pip install wandb, "
            "or leave it out, log.csv holds the same numbers"
        )


class WeightsAndBiases:
    """A run in a project of Weights & Biases, named after the run's folder. WANDB_MODE=offline
    writes below the folder alone.
    """

    def __init__(self, out: Path, project: str) -> None:
        import wandb

        path = out / WANDB_ID
        path.parent.mkdir(exist_ok=True)
        known = path.read_text(encoding="utf-8") if path.is_file() else None
        self.run = wandb.init(
            project=project, name=out.resolve().name, dir=str(out), id=known, resume="allow"
        )
        write_text(path, self.run.id)
        self.image = wandb.Image

    def add_scalar(self, name: str, value: float, update: int) -> None:
        """Send a number of an update."""
        self.run.log({name: value}, step=update)

    def add_image(
        self, name: str, pixels: NDArray[np.uint8], update: int, dataformats: str = "HWC"
    ) -> None:
        """Send a picture (H, W, 3) of an update."""
        self.run.log({name: self.image(pixels)}, step=update)

    def close(self) -> None:
        """Send what is left."""
        self.run.finish()
