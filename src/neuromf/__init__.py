"""One-step generation of 3D brain MRI: MeanFlow in the latent space of a frozen VAE.

`neuromf.load("embedded").generate(4)` draws four brains.
"""

import os
import sys
from importlib import import_module
from typing import Any

__version__ = "0.2.0"

if sys.platform == "darwin":  # read when torch is imported: what Apple's GPU lacks, the CPU does
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")


def load(
    name: Any,
    device: str = "auto",
    precision: Any = "float32",
    decoder: str = "",
    adapter: str = "",
) -> Any:
    """Return the `neuromf.generation.generator.Generator` of a model folder, `embedded`, or
    owner/name on the hub, with an adapter if given.
    """
    # by name: the rooms below import this package's version
    generator = import_module("neuromf.generation.generator")
    return generator.load(name, device, precision, decoder, adapter)
