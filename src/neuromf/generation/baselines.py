"""`neuromf baselines`: volumes from closed-form models of training latents, as sets to compare
samples with.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from neuromf import __version__
from neuromf.autoencoder.frozen import FrozenVAE, check_space
from neuromf.autoencoder.load import decodes, load_vae
from neuromf.generation.decoding import decoded_volume
from neuromf.generation.generator import Drawn
from neuromf.generation.samples import FILES, SampleFolder
from neuromf.latents.closed_form import KINDS, ClosedForm, closed_form
from neuromf.latents.dataset import LatentDataset
from neuromf.latents.store import LatentStore
from neuromf.runtime.device import Precision, pick_device, wait_for_gpu
from neuromf.runtime.fields import key
from neuromf.runtime.folders import Output
from neuromf.runtime.randomness import Purpose, generator
from neuromf.runtime.run import open_run, provenance
from neuromf.runtime.shell import item, typed

OUTPUT = Output("baselines", tuple(f"{kind}/{name}" for kind in KINDS for name in FILES))
SENTENCES = {
    "principal": "a Gaussian on the principal components of the training latents",
    "gaussian": "a Gaussian with the mean image and the power spectrum of the training latents",
    "noise": "the mean image of the training latents plus white noise",
}


@dataclass(frozen=True)
class BaselinesConfig:
    """What to draw, from which latents."""

    latents: str = ""  # a folder or URL that encode wrote
    n: int = key(100, free=True)  # volumes of each kind
    kinds: tuple[str, ...] = tuple(KINDS)
    seed: int = 0  # sample i of a seed is always the same volume
    suffix: str = "T1w"  # of the files' names, as BIDS has them
    decoder: str = ""  # a VAE of the same latent space; as `generate` if empty
    precision: Precision = "float32"
    decode_memory_gb: float | None = None  # decode in tiles that need at most this
    device: str = "auto"  # auto, cpu, mps, cuda, cuda:1

    def __post_init__(self) -> None:
        if self.n < 1 or self.seed < 0:
            raise ValueError(f"n is {self.n}, seed {self.seed}: 1 or more, 0 or more")
        if not self.suffix.isalnum():
            raise ValueError(
                f"suffix is {self.suffix!r}: letters and digits alone, such as T1w or FLAIR"
            )
        other = [kind for kind in self.kinds if kind not in KINDS]
        if other or not self.kinds or len(set(self.kinds)) < len(self.kinds):
            raise ValueError(
                f"kinds is {list(self.kinds)}: one or more of {', '.join(KINDS)}, each once"
            )


class Baselines:
    """Draws volumes from the closed-form models of a store's training latents.

    Raises StoreError for a store that is none or has no statistics, ValueError where it holds
    fewer than two training latents or the VAE is of another latent space.
    """

    def __init__(self, config: BaselinesConfig) -> None:
        if not config.latents:
            raise ValueError("latents= names no folder: give one that `neuromf encode` wrote")
        self.config, self.device = config, pick_device(config.device)
        self.store = LatentStore(config.latents)
        self.training = LatentDataset(self.store, "train")
        if len(self.training) < 2:
            raise ValueError(f"{config.latents} holds one training latent: two or more are needed")

    @cached_property
    def vae(self) -> FrozenVAE:
        """The VAE that decodes."""
        wanted = self.store.vae
        name = self.config.decoder or decodes(wanted.name)
        vae = load_vae(name, self.device, self.config.precision)
        advice = "give the folder or file of that one with decoder="
        check_space(vae, wanted, "the latents were made with", advice)
        return vae

    def draw(self, kind: str, numbers: Sequence[int]) -> Iterator[Drawn]:
        """Yield the samples of a kind with the given numbers."""
        if not numbers:
            return
        model = closed_form(kind, self.training)
        for number in numbers:
            yield self._drawn(kind, model, number)

    def _drawn(self, kind: str, model: ClosedForm, number: int) -> Drawn:
        config, store, started = self.config, self.store, time.perf_counter()
        chance = generator(Purpose.BASELINES, config.seed, list(KINDS).index(kind), number)
        latent = self.training.stats.denormalise(model(chance))
        sampled = time.perf_counter()

        batch = latent[None].to(self.device)
        volume = decoded_volume(
            batch, store.components, self.vae, store.spacing, config.decode_memory_gb
        )
        wait_for_gpu()
        return Drawn(number, latent, volume, sampled - started, time.perf_counter() - sampled)


def run(
    config: BaselinesConfig, out: Path, *, resume: bool = False, overwrite: bool = False
) -> list[Path]:
    """Draw n volumes of each kind into `out`/KIND and return these folders; volumes that are
    already there are kept.

    Raises what `Baselines` raises, before anything is made.
    """
    baselines = Baselines(config)
    vae = baselines.vae
    folders = [
        SampleFolder(out / kind, config.n, config.suffix, describe(baselines, vae, kind))
        for kind in config.kinds
    ]
    if resume:
        for folder in folders:
            folder.refuse_others()

    inputs = [config.latents, config.decoder]
    with open_run(out, config, OUTPUT, inputs, resume=resume, overwrite=overwrite):
        for kind, folder in zip(config.kinds, folders, strict=True):
            folder.describe(
                f"Volumes drawn from {SENTENCES[kind]}",
                f"The authors of the latents {Path(config.latents).name}",
                "closed-form baseline",
                readme(baselines, kind),
            )

            draw = functools.partial(baselines.draw, kind)
            seconds = folder.fill(folder.missing(), draw, kind)
            folder.show()
            print(f"{kind}: {config.n} volumes of {SENTENCES[kind]}, {seconds['total']:.1f} s")

        sets = ",".join(item(str(out / kind)) for kind in config.kinds)
        again = typed("neuromf", "compare", f"sets=[SAMPLES,{sets}]", "reference=VOLUMES")
        print(f"compare with them: {again}")

    return [out / kind for kind in config.kinds]


def describe(baselines: Baselines, vae: FrozenVAE, kind: str) -> dict[str, Any]:
    """Return what the sidecar of every sample of a kind holds: everything that has to be equal to
    draw it again.
    """
    config = baselines.config
    return {
        "Description": f"Drawn from {SENTENCES[kind]}; no person",
        "SkullStripped": True,
        "Model": kind,
        "LatentsSha256": baselines.store.sha256,
        "TrainingLatents": len(baselines.training),
        "VAE": vae.name,
        "VAESha256": vae.sha256,
        "Seed": config.seed,
        "Precision": config.precision,
        "DecodeMemoryGB": config.decode_memory_gb,
        "Device": baselines.device.type,
        "GeneratedBy": [{"Name": "NeuroMF", "Version": __version__}],
        "Versions": provenance()["versions"],
    }


def readme(baselines: Baselines, kind: str) -> str:
    """Return README.md of a kind's folder."""
    config = baselines.config
    return (
        f"# Volumes drawn from {SENTENCES[kind]}\n\n"
        f"{config.n} volumes (NeuroMF {__version__}, seed {config.seed}), decoded by the VAE "
        f"{baselines.vae.name}. No network was trained for them: they are the baseline of every "
        "comparison of samples. They show no person and are not for diagnosis.\n"
    )
