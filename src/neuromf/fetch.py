"""`neuromf weights get`: weights of other projects, held to the network that they are of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from neuromf.autoencoder.maisi import check_maisi
from neuromf.features.backbones import load_backbone
from neuromf.pretrained.download import get_weights


def fetch(name: str, source: Path | None = None) -> Path:
    """Fetch weights from their hub, or take them from the file `source`; return where
    they are kept.

    Raises WeightsError where the file's SHA-256 is another than before, or its content does not fit
    the architecture, ValueError for an unknown name.
    """

    def check(state: Mapping[str, Tensor], file: str) -> None:
        if name.startswith("maisi"):
            check_maisi(state, file)
        else:
            load_backbone(name, state, file)

    return get_weights(name, source, check)
