"""A small world: scans, a cohort, a VAE, latents, a training, a model, samples; and the command line called in it."""

import hashlib
from pathlib import Path

EVALUATED = "extractors=[random-3d]"


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file below a folder with its hash, and every link with its target."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(folder))] = f"-> {path.readlink()}"
        elif path.is_file():
            found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
