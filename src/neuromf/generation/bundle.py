"""A MONAI bundle: programs of torch.export with configurations that `monai.bundle` runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import monai
import numpy as np
import torch

from neuromf import __version__
from neuromf.data.volume import centred_affine
from neuromf.generation.model import ModelConfig
from neuromf.runtime.files import write_json, write_text

MODELS = "models"
METADATA, INFERENCE, README = "configs/metadata.json", "configs/inference.json", "docs/README.md"
FILES = (METADATA, INFERENCE, README, f"{MODELS}/network.pt2", f"{MODELS}/decoder.pt2")
USE = """\
# {name}

3D brain MRI in one network call, as a [MONAI bundle](https://docs.monai.io/en/stable/bundle_intro.html).
It needs PyTorch, MONAI, nibabel and fire, and no other package:

```
python -m monai.bundle run --bundle_root . --config_file configs/inference.json \\
    --meta_file configs/metadata.json --n 4
```

draws four volumes into `samples/`. `calls` is the number of network calls for each, `seed` that of
the first. What it draws is no patient and not for diagnosis.
"""


def write(folder: Path, config: ModelConfig, sha256: str) -> None:
    """Write a bundle's configurations for a model; its programs go into models/."""
    for name, record in ((METADATA, metadata(config, sha256)), (INFERENCE, inference(config))):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_json(folder / name, record)
    (folder / README).parent.mkdir(exist_ok=True)
    write_text(folder / README, USE.format(name=config.name))


def metadata(config: ModelConfig, sha256: str) -> dict[str, Any]:
    """Return what metadata.json holds, by MONAI's names."""
    size = [n * config.vae.factor for n in config.shape[1:]]
    latent = {
        "type": "noise",
        "format": "latent",
        "num_channels": config.shape[0],
        "spatial_shape": list(config.shape[1:]),
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": False,
        "channel_def": {str(i): "latent" for i in range(config.shape[0])},
    }
    volume = {
        "type": "image",
        "format": "magnitude",
        "modality": "MR",
        "num_channels": 1,
        "spatial_shape": size,
        "dtype": "float32",
        "value_range": [0, 1],
        "is_patch_data": False,
        "channel_def": {"0": "image"},
    }
    return {
        "version": "0.1.0",
        "changelog": {"0.1.0": f"written by neuromf {__version__}"},
        "monai_version": monai.__version__,
        "pytorch_version": torch.__version__.split("+")[0],
        "numpy_version": np.__version__,
        "name": config.name,
        "task": "3D brain MRI generation in one network call",
        "description": f"The model {sha256[:16]}: volumes of {' x '.join(map(str, size))} voxels.",
        "authors": "see the model's card",
        "copyright": "see the model's card",
        "intended_use": "research; what is drawn is no patient and not for diagnosis",
        "network_data_format": {"inputs": {"z": latent}, "outputs": {"volume": volume}},
    }


def inference(config: ModelConfig) -> dict[str, Any]:
    """Return what inference.json holds: noise, network calls, the decoder, and NIfTI files."""
    null = "".join(f", {value}" for value in _null(config))
    size = tuple(n * config.vae.factor for n in config.shape[1:])
    return {
        "imports": ["$import functools", "$import torch", "$import monai"],
        "bundle_root": ".",
        "output_dir": "$@bundle_root + '/samples'",
        "n": 1,
        "seed": 0,
        "calls": 1 if config.solver == "average" else 30,
        "shape": [1, *config.shape],
        "affine": centred_affine(size, config.spacing).tolist(),
        "network": "$torch.export.load(@bundle_root + '/models/network.pt2').module()",
        "decoder": "$torch.export.load(@bundle_root + '/models/decoder.pt2').module()",
        "noise": "$lambda i: torch.randn(@shape, "
        "generator=torch.Generator().manual_seed(@seed + i))",
        "times": "$torch.linspace(1, 0, @calls + 1).reshape(-1, 1)",
        "sample": "$lambda i: functools.reduce(lambda z, k: "
        f"@network(z, @times[k], @times[k + 1]{null}), range(@calls), @noise(i))",
        "volume": "$lambda i: monai.data.MetaTensor(@decoder(@sample(i))[0], "
        "affine=torch.tensor(@affine), "
        "meta={'filename_or_obj': 'brain-{:05d}.nii.gz'.format(@seed + i)})",
        "saver": {
            "_target_": "SaveImage",
            "output_dir": "@output_dir",
            "output_postfix": "",
            "separate_folder": False,
            "resample": False,
        },
        "run": ["$[@saver(@volume(i)) for i in range(@n)]"],
    }


def _null(config: ModelConfig) -> list[str]:
    """Return each input of a condition where nothing is asked, as Python writes it."""
    null = config.conditions.null(1) or {}
    return [f"torch.tensor({value.tolist()})".replace("nan", "float('nan')")
            for value in null.values()]  # fmt: skip
