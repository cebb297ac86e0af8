"""Samples as volumes while training: 2.5D FID against decoded held-out latents, whose
features are kept.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from neuromf.autoencoder.components import first
from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.data.volume import Volume, centred_affine
from neuromf.features.extractors import load_measure
from neuromf.features.measure import Measure, fingerprint
from neuromf.generation.decoding import cleaned
from neuromf.latents.statistics import LatentStats
from neuromf.metrics.frechet import Gaussian, fit_gaussian, frechet_distance
from neuromf.runtime.device import explain_oom
from neuromf.runtime.files import write_bytes
from neuromf.training.config import TrainConfig
from neuromf.training.watched import DECODE_GB

log = logging.getLogger("neuromf")
FOLDER = "evaluation"


class DecodedFid:
    """Decodes samples and held-out latents by the same VAE, so that the distance tells of
    the network alone.

    The features of the held-out side are computed once, and kept in evaluation/
    for later starts of the run.
    """

    def __init__(
        self,
        out: Path,
        config: TrainConfig,
        stats: LatentStats,
        vae: FrozenVAE,
        real: Tensor,
        device: torch.device,
    ) -> None:
        self.stats, self.vae, self.real, self.device = stats, vae, real, device
        self.measure: Measure = load_measure(config.evaluation.extractor, str(device))
        self.folder = out / FOLDER
        fewest = min(len(real), config.evaluation.n)
        if fewest < 2:
            raise ValueError(
                "evaluation.fid_every needs 2 samples and 2 held-out latents or more: "
                f"{config.evaluation.n} and {len(real)} are there"
            )

    def fid(self, samples: Tensor) -> float:
        """Return the mean over planes of the Fréchet distance of normalised latents
        (N, C, D, H, W), inf for NaN.
        """
        if not torch.isfinite(samples).all():
            return math.inf
        real, drawn = self.real_gaussians(), self.gaussians(samples)
        return sum(frechet_distance(drawn[key], real[key]) for key in real) / len(real)

    def real_gaussians(self) -> dict[str, Gaussian]:
        """Return the Gaussians of the decoded held-out latents, from the file of an
        earlier look if there is one.
        """
        name = fingerprint(
            self.measure.sha256, self.vae.sha256, self.real.shape, self.real.double().sum().item()
        )
        path = self.folder / f"real-{name[:16]}.safetensors"
        if path.is_file():
            return unpacked(load_file(path), self.measure.keys)
        found = self.gaussians(self.real)
        self.folder.mkdir(exist_ok=True)
        write_bytes(path, save(packed(found)))
        return found

    def gaussians(self, latents: Tensor) -> dict[str, Gaussian]:
        """Return the Gaussian of each plane's features over normalised latents."""
        points: dict[str, list[Tensor]] = {key: [] for key in self.measure.keys}
        for latent in latents:
            advice = "evaluation.fid_every=0, or vae=small"
            with explain_oom("decoding for the FID", advice), self.vae.on(self.device) as vae:
                image = first(self.stats.denormalise(latent[None]), vae)
                decoded = vae.decode(image, DECODE_GB)
            voxels = cleaned(decoded)
            found = self.measure.compute(
                Volume(voxels, centred_affine(voxels.shape, (1.0, 1.0, 1.0)))
            )
            for key, values in points.items():
                values.append(found[key])

        return {key: fit_gaussian([torch.cat(values)]) for key, values in points.items()}


def packed(gaussians: dict[str, Gaussian]) -> dict[str, Tensor]:
    """Return Gaussians as tensors by name."""
    out: dict[str, Tensor] = {}
    for key, g in gaussians.items():
        out |= {f"{key}.mean": g.mean, f"{key}.count": torch.tensor(g.count)}
        out |= {
            f"{key}.{name}": v.contiguous()
            for name, v in (("factor", g.factor), ("whole", g.whole))
            if v is not None
        }
    return out


def unpacked(tensors: dict[str, Tensor], keys: tuple[str, ...]) -> dict[str, Gaussian]:
    """Return what `packed` was given."""
    return {
        key: Gaussian(
            tensors[f"{key}.mean"],
            int(tensors[f"{key}.count"]),
            tensors.get(f"{key}.factor"),
            tensors.get(f"{key}.whole"),
        )
        for key in keys
    }
