"""A measure takes one volume to named tensors; its fingerprint identifies its weights and steps."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from neuromf.data.volume import Volume

PLANES = ("axial", "coronal", "sagittal")


@dataclass(frozen=True)
class Measure:
    """One way to measure a volume in [0, 1], RAS, (D, H, W). `sha256` changes with the weights and
    with the steps.
    """

    name: str
    sha256: str
    label: str  # what a page calls it
    compute: Callable[[Volume], dict[str, Tensor]]
    kind: str = "numbers"  # 2.5d, 3d, sizes (of regions; NaN where there is none) or numbers
    trained: bool = True  # False: random weights, whose values are not to be published

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the features, of an extractor."""
        return {"2.5d": PLANES, "3d": ("volume",)}.get(self.kind, ())


def fingerprint(*parts: object) -> str:
    """Return the SHA-256 of the text of `parts`."""
    return hashlib.sha256("\n".join(str(p) for p in parts).encode()).hexdigest()
