"""What sharpening reconstructions brings back and what it costs: `small-sharp`'s amount.

`python benchmarks/sharpening.py VOLUMES [--split val] [--vae small] [--decoder NAME] [--out FILE]`,
VOLUMES being a folder that `neuromf prepare` wrote. For each amount: energy above half the Nyquist
frequency over real, PSNR and SSIM, means over volumes. Beside them, of reconstructions as they are:
the share of their squared error that lies above half the Nyquist frequency, and there their energy
over real and the square of their correlation with the volume, which are equal for a mean of all
volumes with the same latent.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from machine import hardware
from neuromf.autoencoder.load import load_vae
from neuromf.autoencoder.sharpening import sharpened
from neuromf.data.cohort import read_cohort
from neuromf.data.reading import read_volume
from neuromf.metrics.similarity import psnr, ssim
from neuromf.metrics.spectrum import CUTOFF, frequency_radius, high_frequency_ratio
from neuromf.runtime.files import write_json

AMOUNTS = (0.0, 0.3, 0.45, 0.6, 0.75, 0.9, 1.05)
FIGURES = ("energy", "psnr", "ssim")
BAND = ("share_of_error", "energy", "squared_correlation")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--vae", default="small")
    parser.add_argument("--decoder", default="", help="another one of the same latent space")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    entries = [e for e in read_cohort(chosen.folder) if e.split == chosen.split]
    vae = load_vae(chosen.vae, decoder=chosen.decoder)

    rows, bands = [], []
    for entry in entries:
        x = torch.from_numpy(read_volume(entry.path).voxels)[None, None]
        y = vae.decode(vae.encode(x))
        rows.append([figures(sharpened(y, amount).clamp(0, 1), x) for amount in AMOUNTS])
        bands.append(band(y[0, 0], x[0, 0]))

    mean = np.mean(rows, axis=0)
    result = {
        "hardware": hardware(),
        "vae": vae.name,
        "volumes": len(entries),
        "split": chosen.split,
        "amounts": {
            str(amount): dict(zip(FIGURES, row.round(4).tolist(), strict=True))
            for amount, row in zip(AMOUNTS, mean, strict=True)
        },
        "above_half_nyquist": {
            name: [round(min(values), 3), round(max(values), 3)]
            for name, values in zip(BAND, zip(*bands, strict=True), strict=True)
        },
    }
    print(result["amounts"], result["above_half_nyquist"], sep="\n")
    if chosen.out:
        write_json(chosen.out, result)


def figures(y: Tensor, x: Tensor) -> tuple[float, float, float]:
    """Return the energy ratio, PSNR and SSIM of a reconstruction (1, 1, D, H, W)."""
    a, b = y[0, 0], x[0, 0]
    return high_frequency_ratio(a, b), psnr(a, b), ssim(a, b)


def band(y: Tensor, x: Tensor) -> tuple[float, float, float]:
    """Return the share of the squared error of y (D, H, W) that lies above half the Nyquist
    frequency, and there its energy over that of x and the square of its correlation with x.
    """
    high = frequency_radius(x) > CUTOFF
    a, b = torch.fft.fftn(y.double()), torch.fft.fftn(x.double())
    error = (a - b).abs().square()
    own, real = a[high].abs().square().sum(), b[high].abs().square().sum()
    cross = (a[high] * b[high].conj()).real.sum()
    return (
        (error[high].sum() / error.sum()).item(),
        (own / real).item(),
        (cross.square() / (own * real)).item(),
    )


if __name__ == "__main__":
    main()
