"""`neuromf generate`: brains as NIfTI, laid out as a BIDS derivative."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save

from neuromf import __version__
from neuromf.data.reading import picture
from neuromf.data.volume import volume_sha256, write_volume
from neuromf.generation.generator import Drawn, Generator
from neuromf.generation.model import load_model
from neuromf.reporting.slices import contact_sheets
from neuromf.runtime.config import ConfigError
from neuromf.runtime.device import Precision
from neuromf.runtime.fields import key
from neuromf.runtime.files import write_bytes, write_json, write_text
from neuromf.runtime.folders import COMMON, Output
from neuromf.runtime.progress import progress
from neuromf.runtime.records import read_json_object
from neuromf.runtime.run import open_run, provenance

OUTPUT = Output(
    "generate",
    (
        "dataset_description.json",
        "README.md",
        ".bidsignore",
        "sub-*/anat/sub-*",
        "contact*.png",
        "timing.json",
    ),
)
SHOWN = 60  # samples on the contact sheet
NOT_BIDS = (*COMMON, "timing.json", "contact*.png", "*_latent.safetensors")


@dataclass(frozen=True)
class GenerateConfig:
    """What to draw, from what."""

    # a folder that train or export wrote, embedded, or owner/name on the Hugging Face hub
    model: str = ""
    n: int = key(8, free=True)
    nfe: int = 1  # network calls a volume
    seed: int = 0  # sample i of a seed is always the same volume
    suffix: str = "T1w"  # of the files' names, as BIDS has them
    # a VAE of the same latent space; the model's own, if empty
    decoder: str = key("", formerly="vae")
    latents: bool = False  # write the latents too
    precision: Precision = "float32"
    decode_memory_gb: float | None = None  # decode in tiles that need at most this
    device: str = "auto"  # auto, cpu, cuda, cuda:1

    def __post_init__(self) -> None:
        for name in ("n", "nfe"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: 1 or more")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}: 0 or more")
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
    generator = Generator(
        load_model(config.model),
        config.device,
        config.precision,
        config.decode_memory_gb,
        config.decoder,
    )
    generator.vae  # noqa: B018 - refused before the folder is made
    if resume:
        refuse_fewer(config, out)
    with open_run(
        out, config, OUTPUT, [config.model, config.decoder], resume=resume, overwrite=overwrite
    ):
        about = describe(generator, config)
        write_json(out / "dataset_description.json", dataset_description(generator))
        write_text(out / "README.md", readme(generator, config))
        write_text(out / ".bidsignore", "\n".join(NOT_BIDS) + "\n")
        paths = [sample_path(out, index, config.suffix) for index in range(config.n)]
        missing = [i for i, path in enumerate(paths) if not is_there(path, about, i)]
        seconds = draw_missing(generator, config, out, missing, about)
        contact_sheets(
            out,
            (picture(path) for path in paths[:SHOWN]),
            [path.name.split("_")[0] for path in paths[:SHOWN]],
        )
        if missing:
            write_json(
                out / "timing.json",
                {"volumes": len(missing), "seconds": seconds, "machine": provenance()},
            )

        print(summary(config, out, len(missing), seconds))

    return paths


def refuse_fewer(config: GenerateConfig, out: Path) -> None:
    """Raise ConfigError if a folder that is resumed holds more samples than are asked for: the
    others would stay.
    """
    numbers = [
        int(p.name[4:9]) for p in out.glob("sub-*/anat/sub-*.nii.gz") if p.name[4:9].isdigit()
    ]
    more = [number for number in numbers if number >= config.n]
    if more:
        raise ConfigError(
            f"{out} holds samples up to sub-{max(more):05d}, n={config.n} asks for fewer: "
            f"n={max(more) + 1} keeps them, or choose another out=FOLDER"
        )


def draw_missing(
    generator: Generator,
    config: GenerateConfig,
    out: Path,
    missing: list[int],
    about: dict[str, Any],
) -> dict[str, float]:
    """Draw and write the samples of the given indices; return the seconds that each part took."""
    spent = {"network": 0.0, "decode": 0.0, "write": 0.0, "total": 0.0}
    started = time.perf_counter()
    with progress("volumes") as bar, ThreadPoolExecutor(1) as writer:
        task = bar.add_task("generate", total=config.n, completed=config.n - len(missing))
        pending: list[Future[float]] = []
        for drawn in generator.draw(missing, config.nfe, config.seed):
            spent["network"] += drawn.network_seconds
            spent["decode"] += drawn.decode_seconds
            pending.append(writer.submit(write_sample, out, drawn, config, about))
            if len(pending) > 4:  # drawing waits for a slow disk
                spent["write"] += pending.pop(0).result()
            bar.advance(task)
        spent["write"] += sum(future.result() for future in pending)

    spent["total"] = time.perf_counter() - started
    return {name: round(value, 4) for name, value in spent.items()}


def write_sample(out: Path, drawn: Drawn, config: GenerateConfig, about: dict[str, Any]) -> float:
    """Write a sample's volume, its latent if asked for, and then its sidecar, which marks it as
    complete; return the seconds it took.
    """
    started = time.perf_counter()
    path = sample_path(out, drawn.number, config.suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(path, drawn.volume)
    if config.latents:
        write_bytes(
            with_ending(path, "_latent.safetensors"), save({"latent": drawn.latent.contiguous()})
        )

    write_json(
        with_ending(path, ".json"), about | {"Index": drawn.number, "Sha256": volume_sha256(path)}
    )
    return time.perf_counter() - started


def describe(generator: Generator, config: GenerateConfig) -> dict[str, Any]:
    """Return what the sidecar of every sample holds: everything that has to be
    equal to draw it again.
    """
    return {
        "Description": "Generated by a network; no person",
        "SkullStripped": True,
        "Model": generator.config.name,
        "ModelSha256": generator.model.sha256,
        "VAE": generator.vae.name,
        "VAESha256": generator.vae.sha256,
        "Seed": config.seed,
        "NFE": config.nfe,
        "Precision": config.precision,
        "DecodeMemoryGB": config.decode_memory_gb,
        "Device": generator.device.type,
        "GeneratedBy": [{"Name": "NeuroMF", "Version": __version__}],
        "Versions": provenance()["versions"],
    }


def is_there(path: Path, about: dict[str, Any], index: int) -> bool:
    """Return True if a sample was completely written by the same model with the same settings."""
    try:
        record = read_json_object(with_ending(path, ".json"))
    except (OSError, ValueError):
        return False
    same = (
        record.pop("Index", None) == index
        and path.is_file()
        and record.pop("Sha256", None) == volume_sha256(path)
    )
    return same and record == about


def sample_path(out: Path, index: int, suffix: str) -> Path:
    """Return where a sample lies: sub-00017/anat/sub-00017_desc-generated_T1w.nii.gz."""
    subject = f"sub-{index:05d}"
    return out / subject / "anat" / f"{subject}_desc-generated_{suffix}.nii.gz"


def with_ending(path: Path, ending: str) -> Path:
    """Return the path with another ending in place of .nii.gz."""
    return path.with_name(path.name.removesuffix(".nii.gz") + ending)


def dataset_description(generator: Generator) -> dict[str, Any]:
    """Return dataset_description.json of a BIDS derivative."""
    return {
        "Name": f"Brains drawn from {generator.config.name}",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "Authors": [f"The authors of the model {generator.config.name}", "The NeuroMF developers"],
        "GeneratedBy": [
            {"Name": "NeuroMF", "Version": __version__, "Description": "one-step generation"}
        ],
    }


def readme(generator: Generator, config: GenerateConfig) -> str:
    """Return README.md of the folder."""
    calls = f"{config.nfe} network call{'s' if config.nfe > 1 else ''}"
    return (
        f"# Brains drawn from {generator.config.name}\n\n"
        f"{config.n} volumes that a network drew (NeuroMF {__version__}), {calls} each, "
        f"seed {config.seed}. They show no person and are not for diagnosis. `sub-00017` is sample "
        "17 of the seed; its JSON says what has to be the same to draw it again.\n"
    )


def summary(config: GenerateConfig, out: Path, drawn: int, seconds: dict[str, float]) -> str:
    """Return the lines that end the run."""
    if not drawn:
        return f"all {config.n} volumes were there: {out / 'contact.png'}"
    calls = f"{config.nfe} network call{'s' if config.nfe > 1 else ''}"
    parts = ", ".join(
        f"{name} {seconds[name] / drawn:.3f} s" for name in ("network", "decode", "write")
    )
    return (
        f"{drawn} volumes in {seconds['total']:.1f} s, {calls} each; "
        f"a volume: {parts} (beside the next)\n"
        f"look at {out / 'contact.png'}"
    )
