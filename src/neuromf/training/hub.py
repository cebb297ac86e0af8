"""Models for the Hugging Face hub: the header of a model's card, and the upload."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import yaml

from neuromf.generation.model import MODEL_FILES
from neuromf.runtime.config import ConfigError

TAGS = ["mri", "brain", "3d", "medical-imaging", "meanflow", "flow-matching"]
NAME = re.compile(r"[\w.-]+/[\w.-]+")


def header(license: str) -> str:
    """Return what the hub reads of a card, YAML between two lines of dashes; `license` is one of
    the hub's names, such as apache-2.0 or other.
    """
    about = {
        "license": license,
        "library_name": "neuromf",
        "pipeline_tag": "unconditional-image-generation",
        "tags": TAGS,
    }
    return f"---\n{yaml.safe_dump(about, sort_keys=False)}---\n"


def check_push(name: str) -> None:
    """Raise ConfigError where a model cannot be uploaded as `name`: no such name, no
    huggingface_hub, nobody logged in.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(f"push={name}: owner/name, as on the hub, is needed")
    if not _hub(name).get_token():
        raise ConfigError(
            f"push={name}: nobody is logged in to the Hugging Face hub: `hf auth login`, or set "
            "HF_TOKEN to a token that may write"
        )


def push(folder: Path, name: str) -> str:
    """Upload the files of a model folder, and nothing else of it, and return where they are. A new
    repository is private: who may see it is said on the hub. Raises ValueError where the hub
    refuses.
    """
    api = _hub(name).HfApi()
    try:
        place = api.create_repo(name, private=True, exist_ok=True)
        api.upload_folder(
            repo_id=name,
            folder_path=folder,
            allow_patterns=list(MODEL_FILES),
            commit_message="Model of neuromf export",
        )
    except Exception as error:  # many kinds: its own, and those of the network layers
        raise ValueError(
            f"push={name}: the hub refused ({type(error).__name__}: {error}); the model itself is "
            f"complete in {folder}: the same command with --resume uploads it again"
        ) from error
    return str(place)


def _hub(name: str) -> ModuleType:
    try:
        import huggingface_hub
    except ImportError:
        raise ConfigError(
            f"push={name} needs huggingface_hub: pip install 'neuromf[hub]'"
        ) from None
    module: ModuleType = huggingface_hub
    return module
