"""A VAE by its name, from a folder or from a checkpoint file."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import torch

from neuromf.autoencoder.exchange import KIND, load_decoder, with_decoder
from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.autoencoder.sharpening import with_sharpening
from neuromf.autoencoder.small import CONFIG, load_small
from neuromf.runtime.device import Precision
from neuromf.runtime.folders import local_path
from neuromf.runtime.records import read_json_object

SMALL, SHARP, FAST = "small-vae", "small-sharp", "small-fast"
SHARPENING = 0.6  # of SHARP: validation people keep 0.68 of their detail in place of 0.45, and PSNR
# falls by 0.3 dB (docs/vae.md)
FAST_SHARPENING = 0.9  # of FAST, for as much detail
DECODED_BY = {SMALL: SHARP}  # what generated latents of a VAE are decoded with, if not by itself


def decodes(vae: str) -> str:
    """Return the VAE of the same latent space, as `load_vae` takes it, that generated latents are
    decoded with where nobody says otherwise.
    """
    return DECODED_BY.get(vae, vae)


def load_vae(
    name: str,
    device: torch.device | str = "cpu",
    precision: Precision = "float32",
    decoder: str = "",
) -> FrozenVAE:
    """Return `small` (ships with the package), `small-sharp` (the same, sharpening what it
    decodes), `small-fast` (the same, with a fast decoder that is sharpened), `maisi` or `maisi-v2`
    (downloaded before, see `neuromf weights`), or the VAE in a folder that `train-vae` wrote, or in
    a MAISI checkpoint file. A folder that `train-decoder` wrote gives a VAE that decodes only.

    `decoder` is another VAE or decoder of the same latent space, to decode with.
    """
    if decoder:
        vae = load_vae(name, device, precision)
        return with_decoder(vae, load_vae(decoder, device, precision))
    if name in {"small", SMALL, SHARP, FAST}:
        return _small(name, device, precision)
    if name in {"maisi", "maisi-v1", "maisi-v2", "maisi-random"}:
        from neuromf.autoencoder.maisi import load_maisi

        return load_maisi(name, device, precision)
    path = local_path(name)
    if (path / CONFIG).is_file():
        kind = read_json_object(path / CONFIG, "copy the folder again").get("kind")
        load = load_decoder if kind == KIND else load_small
        return load(path, device, precision)
    if path.is_file():
        from neuromf.autoencoder.maisi import maisi_from_file

        return maisi_from_file(path, device, precision)
    raise ValueError(
        f"vae={name}: small, small-sharp, small-fast, maisi, maisi-v2, maisi-random (untrained, "
        "for measuring), a folder that `neuromf train-vae` or `train-decoder` wrote, or a MAISI "
        "checkpoint"
    )


def _small(name: str, device: torch.device | str, precision: Precision) -> FrozenVAE:
    """Return the VAE that ships with the package, decoding as its name says."""
    folders = resources.files("neuromf") / "weights"
    vae = load_small(Path(str(folders / SMALL)), device, precision)
    if name == SHARP:
        return with_sharpening(vae, SHARPENING, SHARP)
    if name == FAST:
        fast = load_decoder(Path(str(folders / "fast-decoder")), device, precision)
        return with_sharpening(with_decoder(vae, fast), FAST_SHARPENING, FAST)
    return vae  # by "small", its key here, or by the name that stores and models know it by
