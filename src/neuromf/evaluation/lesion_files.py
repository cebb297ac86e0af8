"""Which file is the lesion mask of a volume, where no manifest says so."""

from __future__ import annotations

from glob import escape
from pathlib import Path

from neuromf.data.lesion_file import lesion_path
from neuromf.data.volume import stem


def lesion_beside(image: Path) -> Path | None:
    """Return the lesion mask beside a volume, None where there is none: NAME_lesion.nii.gz, as
    `prepare` writes it, or the mask of BIDS with the same entities and label-lesion, as `generate`
    does (sub-00017_label-lesion_desc-generated_mask.nii.gz).
    """
    plain = lesion_path(image.parent, stem(image))
    if plain.is_file():
        return plain

    subject, *entities = _entities(image)
    if not subject.startswith("sub-"):
        return None
    wanted = {subject, "label-lesion", *entities}
    masks = sorted(image.parent.glob(f"{escape(subject)}_*_mask.nii.gz"))
    return next((path for path in masks if set(_entities(path)) == wanted), None)


def _entities(path: Path) -> list[str]:
    """Return the parts of a name: those before the last, which is the kind of image in BIDS."""
    return stem(path).split("_")[:-1] or [stem(path)]
