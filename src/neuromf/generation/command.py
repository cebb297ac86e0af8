"""`neuromf generate`: brains as NIfTI, laid out as a BIDS derivative."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from neuromf import __version__
from neuromf.generation.adapter import load_adapter
from neuromf.generation.generator import SMALLEST_ML, Generator
from neuromf.generation.model import load_model
from neuromf.generation.page import page
from neuromf.generation.samples import FILES, SampleFolder
from neuromf.runtime.device import Precision
from neuromf.runtime.fields import NAMED, key
from neuromf.runtime.files import write_json, write_text
from neuromf.runtime.folders import Output
from neuromf.runtime.run import open_run, provenance

OUTPUT = Output("generate", (*FILES, "timing.json", "index.html"))


@dataclass(frozen=True)
class GenerateConfig:
    """What to draw, from what."""

    # a folder that train or export wrote, embedded, or owner/name on the Hugging Face hub
    model: str = ""
    adapter: str = ""  # what `train adapt=` learned: the adapter/ of its folder
    n: int = key(8, free=True)  # a table gives its own number
    nfe: int = 1  # network calls a volume
    seed: int = 0  # sample i of a seed is always the same volume
    # what every sample is asked to be, by the names of the model's conditions: condition.age=70
    condition: dict[str, str] = field(default_factory=dict, metadata=NAMED)
    table: str = ""  # or a CSV or TSV file with such columns: a sample for each row
    # where nothing is asked, samples are as people of the training were, if the model knows them
    population: bool = True
    guidance: float = 1.0  # how closely samples follow their conditions; 1 is as in the data
    guidance_interval: tuple[float, float] = (0.0, 1.0)  # the first and last t at which it acts
    suffix: str = "T1w"  # of the files' names, as BIDS has them
    # a VAE of the same latent space; the model's own (small-sharp for small), if empty
    decoder: str = key("", formerly="vae")
    latents: bool = False  # write the latents too
    smallest_lesion_ml: float = SMALLEST_ML  # of a model of pairs; smaller lesions are left out
    precision: Precision = "float32"
    decode_memory_gb: float | None = None  # decode in tiles that need at most this
    device: str = "auto"  # auto, cpu, mps, cuda, cuda:1

    def __post_init__(self) -> None:
        for name in ("n", "nfe"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: 1 or more")
        if self.seed < 0 or not 0 <= self.smallest_lesion_ml < math.inf:
            raise ValueError(
                f"seed is {self.seed}, smallest_lesion_ml {self.smallest_lesion_ml}: 0 or more"
            )
        if not self.suffix.isalnum():
            raise ValueError(
                f"suffix is {self.suffix!r}: letters and digits alone, such as T1w or FLAIR"
            )


def run(
    config: GenerateConfig, out: Path, *, resume: bool = False, overwrite: bool = False
) -> list[Path]:
    """Draw n volumes into `out` and return their files; volumes that are already there are kept. A
    volume is written while the next one is drawn.

    Raises FileNotFoundError, ValueError or WeightsError if the model or its VAE is missing, damaged
    or another one.
    """
    if not config.model:
        raise ValueError("model= names no model: a folder that `neuromf train` wrote, or embedded")
    model = load_model(config.model)
    if config.adapter:
        model = load_adapter(model, config.adapter)
    generator = Generator(
        model,
        config.device,
        config.precision,
        config.decode_memory_gb,
        config.decoder,
        config.smallest_lesion_ml,
    )
    generator.vae, generator.mask_code  # noqa: B018 - refused before the folder is made
    wanted = generator.asked(
        config.condition,
        config.table,
        config.guidance,
        config.guidance_interval,
        config.population,
        config.seed,
    )
    if config.table:
        config = replace(config, n=len(wanted.rows))
    calls = config.nfe * (2 if wanted.led else 1)
    about = describe(generator, config, calls)
    folder = SampleFolder(out, config.n, config.suffix, about, config.latents, wanted)
    if resume:
        folder.refuse_others()

    inputs = [config.model, config.adapter, config.decoder, config.table]
    with open_run(out, config, OUTPUT, inputs, resume=resume, overwrite=overwrite):
        name = generator.config.name
        folder.describe(
            f"Brains drawn from {name}",
            f"The authors of the model {name}",
            "one-step generation",
            readme(generator, config, calls),
        )

        missing = folder.missing()
        draw = functools.partial(generator.draw, nfe=config.nfe, seed=config.seed, asked=wanted)
        seconds = folder.fill(missing, draw, "generate")
        folder.show()
        if missing:
            write_json(
                out / "timing.json",
                {"volumes": len(missing), "seconds": seconds, "machine": provenance()},
            )

        write_text(out / "index.html", page(out, folder, name))
        print(summary(config, out, len(missing), seconds, calls))

    return folder.paths


def describe(generator: Generator, config: GenerateConfig, calls: int) -> dict[str, Any]:
    """Return what the sidecar of every sample holds: everything that has to be
    equal to draw it again, and the network `calls` that it takes.
    """
    return (
        {
            "Description": "Generated by a network; no person",
            "SkullStripped": True,
            "Model": generator.config.name,
            "ModelSha256": generator.model.sha256,
            "VAE": generator.vae.name,
            "VAESha256": generator.vae.sha256,
            "Seed": config.seed,
            "NFE": calls,
            "Precision": config.precision,
            "DecodeMemoryGB": config.decode_memory_gb,
            "Device": generator.device.type,
            "GeneratedBy": [{"Name": "NeuroMF", "Version": __version__}],
            "Versions": provenance()["versions"],
        }
        | simulated(generator)
        | (masks(generator, config) if generator.mask_code else {})
    )


def masks(generator: Generator, config: GenerateConfig) -> dict[str, Any]:
    """Return what the sidecars of pairs hold beside."""
    assert generator.mask_code is not None
    return {
        "MaskCode": generator.mask_code.name,
        "MaskCodeSha256": generator.mask_code.space.sha256,
        "SmallestLesionMl": config.smallest_lesion_ml,
    }


def simulated(generator: Generator) -> dict[str, Any]:
    """Return what sidecars say beside where the model was trained on simulated lesions."""
    kind = generator.config.lesions
    if not kind:
        return {}
    said = f"Generated by a network that was trained on simulated lesions ({kind}); no person"
    return {"LesionKind": kind, "Description": said}


def readme(generator: Generator, config: GenerateConfig, calls: int) -> str:
    """Return README.md of the folder."""
    kind = generator.config.lesions
    lesions = f"Their lesions are like the simulated ones ({kind}) in training. " if kind else ""
    return (
        f"# Brains drawn from {generator.config.name}\n\n"
        f"{config.n} volumes that a network drew (NeuroMF {__version__}), {told(calls)} each, "
        f"seed {config.seed}. They show no person and are not for diagnosis. {lesions}"
        "`sub-00017` is sample "
        "17 of the seed; its JSON says what has to be the same to draw it again.\n"
    )


def told(calls: int) -> str:
    """Return a number of network calls in words."""
    return f"{calls} network call{'s' if calls > 1 else ''}"


def summary(
    config: GenerateConfig, out: Path, drawn: int, seconds: dict[str, float], calls: int
) -> str:
    """Return the lines that end the run."""
    if not drawn:
        return f"all {config.n} volumes were there: {out / 'index.html'}"
    parts = ", ".join(
        f"{name} {seconds[name] / drawn:.3f} s" for name in ("network", "decode", "write")
    )
    return (
        f"{drawn} volumes in {seconds['total']:.1f} s, {told(calls)} each; "
        f"a volume: {parts} (beside the next)\n"
        f"look at {out / 'index.html'}"
    )
