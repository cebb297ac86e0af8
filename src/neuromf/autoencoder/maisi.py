"""NVIDIA's MAISI VAE (MONAI's AutoencoderKlMaisi): 20.9 M parameters, factor 4, the
default for full size.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.pretrained.download import cached_weights
from neuromf.pretrained.statedict import load_strict, loaded, read_state
from neuromf.runtime.device import Precision

ENTRIES, PARAMETERS = 130, 20_944_897
# peak memory of decoding per voxel of the latent, see benchmarks/decode_memory.py
MAISI_BYTES = 130_000.0

DECODER = ("vae.decoder.", "vae.post_quant_conv.")  # prefixes of the names of the decoder's weights


class MaisiNetwork(nn.Module):
    """The published architecture, with an `encode` that returns the posterior's mean and standard
    deviation without sampling.

    MONAI's own `encode_stage_2_inputs` samples. Norms compute in float32: their float16 option
    fails on a CPU.
    """

    def __init__(self) -> None:
        super().__init__()
        from monai.apps.generation.maisi.networks.autoencoderkl_maisi import AutoencoderKlMaisi

        self.vae = AutoencoderKlMaisi(
            spatial_dims=3,
            in_channels=1,
            out_channels=1,
            latent_channels=4,
            num_channels=[64, 128, 256],
            num_res_blocks=[2, 2, 2],
            norm_num_groups=32,
            norm_eps=1e-6,
            attention_levels=[False, False, False],
            with_encoder_nonlocal_attn=False,
            with_decoder_nonlocal_attn=False,
            use_checkpointing=False,
            use_convtranspose=False,
            norm_float16=False,
            num_splits=1,  # tiles bound the memory; splits fail on small ones
            dim_split=1,
            save_mem=False,
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the posterior's mean and standard deviation, each (B, 4, D/4, H/4, W/4)."""
        mean, sigma = self.vae.encode(x)
        return mean, sigma

    def decode(self, z: Tensor) -> Tensor:
        """Return volumes (B, 1, D, H, W) for latents as `encode` gives them."""
        volume: Tensor = self.vae.decode(z)
        return volume


def check_maisi(state: Mapping[str, Tensor], what: str) -> None:
    """Raise WeightsError, naming the first keys that differ, if a state is not the VAE's."""
    loaded(lambda: MaisiNetwork().vae, state, what)


def maisi_from_file(
    path: Path, device: torch.device | str = "cpu", precision: Precision = "float32"
) -> FrozenVAE:
    """Return the MAISI VAE with the weights in a file, in any of the layouts in which
    it is distributed.

    Raises WeightsError naming the first keys that differ.
    """
    state = read_state(path)  # first: a network takes a second to build
    network = MaisiNetwork()
    load_strict(network.vae, state, str(path))
    return FrozenVAE(network, "maisi", 4, 4, MAISI_BYTES, precision, device, DECODER)


def load_maisi(
    name: str, device: torch.device | str = "cpu", precision: Precision = "float32"
) -> FrozenVAE:
    """Return `maisi` (the same as maisi-v1) or `maisi-v2` from the cache of weights, or
    `maisi-random`, which is untrained and meant for measuring.

    Raises FileNotFoundError with the command that downloads the weights.
    """
    if name == "maisi-random":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = MaisiNetwork()
        return FrozenVAE(network, name, 4, 4, MAISI_BYTES, precision, device, DECODER)
    vae = maisi_from_file(
        cached_weights("maisi-v1" if name == "maisi" else name), device, precision
    )
    vae.name = "maisi-v1" if name == "maisi" else name
    return vae
