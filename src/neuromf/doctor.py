"""What this machine has, and which verbs will work on it."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
from collections.abc import Iterable
from importlib import metadata

import psutil
import torch

from neuromf import __version__
from neuromf.runtime.device import has_mps

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
    *("pytorch_lightning", "msgspec", "psutil", "yaml", "typer"),
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
