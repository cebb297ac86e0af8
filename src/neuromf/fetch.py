"""`neuromf weights get`: weights of other projects, checked against their networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from neuromf.autoencoder.maisi import check_maisi
from neuromf.features.backbones import load_backbone
from neuromf.generation import maisi
from neuromf.generation.model import MAISI, fetched_folder
from neuromf.pretrained.download import get_weights
from neuromf.pretrained.statedict import read_state


def fetch(name: str, source: Path | None = None) -> Path:
    """Fetch weights from their hub, or take them from the file `source`; return where
    they are kept. Those of a flow become a model folder too, which `model=` finds by their name.

    Raises WeightsError where the file's SHA-256 is another than before, or its content does not fit
    the architecture, ValueError for an unknown name.
    """

    if name == MAISI:
        path = get_weights(name, source, maisi.check_flow, maisi.read_flow)
        maisi.write_model(fetched_folder(name), read_state(path), maisi.ImportMaisiConfig())
        return path

    def check(state: Mapping[str, Tensor], file: str) -> None:
        if name.startswith("maisi"):
            check_maisi(state, file)
        else:
            load_backbone(name, state, file)

    return get_weights(name, source, check)
