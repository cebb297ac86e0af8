"""How well a VAE's reconstruction of a volume is like it, over one volume and over all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from torch import Tensor

from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.metrics.similarity import gmsd, psnr, ssim
from neuromf.metrics.spectrum import high_frequency_ratio


@dataclass(frozen=True)
class Score:
    """How well one volume came back: over the whole volume, and over its brain alone."""

    name: str
    ssim: float
    psnr: float  # dB
    gmsd: float  # gradient-magnitude similarity deviation, a perceptual distance; 0 is equal
    hf_ratio: float  # high-frequency energy, reconstruction over original
    ssim_brain: float
    psnr_brain: float
    gmsd_brain: float
    seconds: float


MEASURES = ("ssim", "psnr", "gmsd", "hf_ratio", "ssim_brain", "psnr_brain", "gmsd_brain", "seconds")


def measure(name: str, x: Tensor, y: Tensor, seconds: float) -> Score:
    """Return the figures of one reconstruction; the brain is where the original is above 0."""
    brain = x > 0
    return Score(
        name,
        ssim(x, y),
        psnr(x, y),
        gmsd(x, y),
        high_frequency_ratio(y, x),
        ssim(x, y, brain),
        psnr(x, y, brain),
        gmsd(x, y, brain),
        seconds,
    )


def summarise(vae: FrozenVAE, scores: Sequence[Score]) -> dict[str, Any]:
    """Return mean, standard deviation and extremes of every measure, and each volume's own."""
    table = {}
    for name in MEASURES:
        values = np.array([getattr(s, name) for s in scores])
        table[name] = {
            "mean": float(values.mean()),
            "std": float(values.std()),
            "min": float(values.min()),
            "max": float(values.max()),
        }

    return {
        "vae": vae.name,
        "sha256": vae.sha256,
        "volumes": len(scores),
        "mean": table,
        "each": [asdict(s) for s in scores],
    }


def telling(scores: Sequence[Score]) -> list[str]:
    """Return the names of the volumes that came back worst and as the median, by the SSIM in their
    brain; of one volume alone its name.
    """
    order = sorted(scores, key=lambda score: score.ssim_brain)
    return list(dict.fromkeys((order[0].name, order[len(order) // 2].name)))
