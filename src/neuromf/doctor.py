"""What this machine has, which verbs will work on it, and what of a training fits into it."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib import metadata
from typing import NamedTuple

import psutil
import torch

from neuromf import __version__
from neuromf.autoencoder.load import load_vae
from neuromf.invoke import resolved
from neuromf.nets import DualTimeUNet
from neuromf.runtime.config import ConfigError
from neuromf.runtime.device import has_mps, pick_device
from neuromf.training.command import fitting
from neuromf.training.config import TrainConfig
from neuromf.training.memory import free_gb
from neuromf.training.preflight import warnings
from neuromf.training.sizing import HEADROOM, Sizing, propose
from neuromf.training.start import first_network
from neuromf.training.watched import DECODE_GB
from neuromf.verbs import VERBS

CORE = (
    *(
        "torch",
        "monai",
        "einops",
        "numpy",
        "scipy",
        "omegaconf",
        "matplotlib",
        "jinja2",
        "safetensors",
        "rich",
    ),
    *("nibabel", "nilearn", "SimpleITK", "isal", "fsspec", "PIL", "threadpoolctl"),
)
EXTRAS = {  # extra -> the modules it brings
    "slurm": ("submitit",),
    "hub": ("huggingface_hub",),
    "log": ("tensorboard",),
    "dicom": ("dcm2niix",),
    "onnx": ("onnxscript",),
}
TOOLS = {  # external program -> what it would be used for
    "mri_synthstrip": "skull stripping",
    "hd-bet": "skull stripping",
    "mri_synthseg": "parcellation",
    "sbatch": "SLURM jobs",
}


def report(verbs: Iterable[str]) -> str:
    """Return the whole report, one finding a line; all verbs need the same modules."""
    return "\n".join([*_machine(), "", *_software(), "", *_verbs(verbs)])


def read_shape(text: str) -> tuple[int, ...]:
    """Return the sizes in a text such as 4,48,48,48; none in an empty one. Raises ConfigError for
    anything but four whole numbers.
    """
    if not text:
        return ()
    parts = text.replace("x", ",").split(",")
    if len(parts) != 4 or not all(part.strip().isdecimal() and int(part) for part in parts):
        raise ConfigError(
            f"--shape {text}: channels and three sizes are needed, such as 4,48,48,48"
        )
    return tuple(int(part) for part in parts)


def training_report(words: list[str], shape: tuple[int, ...] = ()) -> str:
    """Return what of a training fits into the memory that is free here, and a batch to take; for
    latents of a `shape` (C, D, H, W) where there are none yet.

    Raises ConfigError or ValueError for words that `neuromf train` refuses.
    """
    config = resolved("train", VERBS["train"], words)
    device = pick_device(config.device)
    training = _training(config, shape)
    shape, subjects = training.shape, training.subjects
    decoding, decoder = _decoding(config, training.vae, shape)
    sizings = [
        Sizing.of(training.parameters, config, shape, checkpointing=way, decoding_gb=decoding)
        for way in (False, True)
    ]
    free, latents = free_gb(device), config.batch * config.accumulate
    lines = [
        f"latents    {' x '.join(map(str, shape))}"
        + (f", {subjects} subjects to train on" if subjects else ""),
        f"network    {training.parameters / 1e6:.1f} million parameters, {config.precision}",
        f"device     {device}, {free:.1f} GB free, of which {HEADROOM:.0%} is planned with",
        f"decoding   {decoder}",
        "",
        *_sizes(sizings, free, latents),
        "",
        *_advice(config, sizings, free),
    ]
    said = [*warnings(config, shape), *training.warnings]
    return "\n".join([*lines, *(f"note: {line}" for line in said)])


class _Training(NamedTuple):
    """What a training is, as far as its memory goes."""

    parameters: int
    shape: tuple[int, ...]  # of its latents
    vae: str  # the name of the VAE that samples are decoded with
    subjects: int = 0  # to train on, 0 where there are no latents yet
    warnings: Sequence[str] = ()


def _training(config: TrainConfig, shape: tuple[int, ...]) -> _Training:
    """Return a training on the latents that it names, or on latents of a shape."""
    if shape:
        with torch.device("meta"):
            network = DualTimeUNet(replace(config.network, latent_channels=shape[0]))
        return _Training(sum(p.numel() for p in network.parameters()), shape, config.vae)
    data, teacher = fitting(config)
    parameters = sum(p.numel() for p in first_network(config, data, teacher).parameters())
    stats, vae = data.train.stats, config.vae or data.store.vae.name
    return _Training(parameters, tuple(stats.shape), vae, stats.subjects, data.warnings())


def _decoding(config: TrainConfig, vae: str, shape: tuple[int, ...]) -> tuple[float, str]:
    """Return the memory that a decoded sample takes in a training, and a sentence on it."""
    if not vae:
        return 0.0, "not counted: vae=NAME names the VAE that samples are decoded with"
    try:
        gb = load_vae(vae, "cpu", config.precision).decode_gb(shape[1:], DECODE_GB)
    except (ValueError, OSError) as error:
        return 0.0, f"not counted: {error}"
    return gb, f"{gb:.1f} GB a sample by {vae}, between steps"


def _sizes(sizings: list[Sizing], free: float, latents: int) -> list[str]:
    """Return a table of what batches need, up to the latents of an update."""
    batches = [n for n in range(1, latents + 1) if latents % n == 0]
    head = "".join(f"{f'batch {n}':>12}" for n in batches)
    lines = [f"{'network.checkpointing':21}{head}{'largest':>12}"]
    for sizing in sizings:
        needs = "".join(f"{f'{sizing.needs(n):.1f} GB':>12}" for n in batches)
        largest = sizing.largest(free) or "none"
        lines.append(f"{str(sizing.checkpointing).lower():21}{needs}{largest:>12}")
    return lines


def _advice(config: TrainConfig, sizings: list[Sizing], free: float) -> list[str]:
    """Return whether the settings fit, and settings that do."""
    asked = next(s for s in sizings if s.checkpointing == config.network.checkpointing)
    needs = asked.needs(config.batch)
    fits = config.batch <= asked.largest(free)
    found = propose(sizings, config.batch * config.accumulate, free)
    lines = [
        f"as set     batch={config.batch} accumulate={config.accumulate} "
        f"network.checkpointing={str(config.network.checkpointing).lower()} needs {needs:.1f} GB: "
        + ("it fits" if fits else "it does not fit")
    ]
    if found is None:
        least = min(s.needs(1) for s in sizings) / HEADROOM
        lines.append(
            f"proposal   none: a single latent needs {least:.1f} GB free; take a smaller network "
            "(network.channels), shorter volumes, or another machine"
        )
    else:
        lines.append(
            f"proposal   {found.words}, the same {config.batch * config.accumulate} "
            "latents an update"
        )
    return lines


def missing(modules: Iterable[str]) -> list[str]:
    """Return those modules that cannot be imported."""
    return [name for name in modules if importlib.util.find_spec(name) is None]


def _machine() -> list[str]:
    memory = psutil.virtual_memory()
    lines = [
        f"neuromf    {__version__}, Python {platform.python_version()} ({sys.executable})",
        f"system     {platform.platform()}",
        f"CPU        {psutil.cpu_count()} logical cores, torch "
        f"uses {torch.get_num_threads()} threads",
        f"memory     {memory.total / 2**30:.1f} GiB, {memory.available / 2**30:.1f} GiB free",
    ]
    if has_mps():
        limit = torch.mps.recommended_max_memory() / 2**30
        lines.append(
            f"GPU mps    Apple, {limit:.1f} GiB of the memory; what it lacks, the CPU does"
        )
    elif not torch.cuda.is_available():
        lines.append("GPU        none that torch can use")
    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        bf16 = "bf16" if torch.cuda.is_bf16_supported() else "no bf16"
        lines.append(
            f"GPU {index}      {device.name}, {device.total_memory / 2**30:.1f} GiB, {bf16}"
        )

    return lines


def _software() -> list[str]:
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    lines = [f"torch      {torch.__version__}, {build}", f"monai      {_version('monai')}"]
    for extra, modules in EXTRAS.items():
        absent = missing(modules)
        state = (
            f"missing {', '.join(absent)}: pip install 'neuromf[{extra}]'"
            if absent
            else "installed"
        )
        lines.append(f"[{extra}]".ljust(11) + state)

    for tool, purpose in TOOLS.items():
        lines.append(f"{tool:14} {shutil.which(tool) or f'not found ({purpose})'}")
    return lines


def _verbs(verbs: Iterable[str]) -> list[str]:
    absent = missing(CORE)
    state = f"will not work: {', '.join(absent)} missing" if absent else "will work"
    return [f"{verb:10} {state}" for verb in verbs]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"
