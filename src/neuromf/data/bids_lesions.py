"""Lesion masks of a BIDS tree, matched with its images by their names.

A file counts only if its name says lesion: `_roi`, `_lesion`, or `_mask` and the like with
label-lesion or desc-lesion. Brain masks and segmentations never do.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from neuromf.data.files import folders_below, is_volume, written_by_us
from neuromf.data.scan import Scan
from neuromf.data.volume import stem

log = logging.getLogger("neuromf")
# values of label- and desc-, such as T1lesion in ATLAS; not nonlesion, lesionfilled
LESION = re.compile(r"(?!no)[a-z0-9]*lesions?(mask|seg)?")
HINT = re.compile(r"lesion|roi", re.IGNORECASE)  # in the name of every lesion mask
SIDES = {"l", "r"}  # values of label- that say where a lesion is
ALONE = {"lesion", "lesions", "roi", "lesion-mask", "lesion-msk"}  # suffixes of lesion masks,
LABELLED = {"mask", "msk", "seg", "dseg"}  # and of those that are if label- or desc- says so
OWN = {"", "orig", "individual", "native", "scanner"}  # values of space- that are the image's
CONTRASTS = {"t1w", "t2w", "flair", "pdw", "t2starw", "dwi", "adc", "swi"}
ENTITIES = ("acq", "ce", "rec", "run", "echo", "part")  # that tell a session's images apart


@dataclass(frozen=True)
class Named:
    """What the name of a BIDS file says, in lower case: its entities by key (sub, ses, label), and
    its other words, of which the last is the suffix.
    """

    path: Path
    entities: dict[str, str]
    words: tuple[str, ...]

    @classmethod
    def of(cls, path: Path) -> Named:
        """Return what a file's name says; subject and session may be those of its folders."""
        entities: dict[str, str] = {}
        words = []
        for folder in path.parts[:-1]:
            if folder.startswith(("sub-", "ses-")):
                entities[folder[:3]] = folder[4:].casefold()

        for part in stem(path).casefold().split("_"):
            key, _, value = part.partition("-")
            if value and part not in ALONE:
                entities[key] = value
            else:
                words.append(part)
        return cls(path, entities, tuple(words))

    def is_lesion(self) -> bool:
        """Return True if the name says that the file is a lesion mask."""
        labels = {self.entities[k] for k in ("label", "desc") if k in self.entities}
        said = any(LESION.fullmatch(label) for label in labels)
        suffix = self.words[-1] if self.words else ""
        return (suffix in ALONE and (said or labels <= SIDES)) or (suffix in LABELLED and said)

    def is_of(self, image: Named) -> bool:
        """Return True if subject and session are those of an image, and nothing else in the name
        speaks against it: another contrast, another run or acquisition, another space.
        """
        own, wanted = self.entities, image.entities
        person = all(own.get(k) == wanted.get(k) for k in ("sub", "ses"))
        entities = all(own[k] == wanted[k] for k in ENTITIES if k in own and k in wanted)
        contrasts = CONTRASTS.intersection(self.words)
        contrast = not contrasts or image.words[-1] in contrasts

        spaces = {wanted.get("space", ""), image.words[-1]} | (
            OWN if wanted.get("space", "") in OWN else set()
        )
        return person and entities and contrast and own.get("space", "") in spaces


def with_lesions(root: Path, scans: Sequence[Scan]) -> Iterator[Scan]:
    """Yield scans of a BIDS tree, each with its lesion mask if there is one, below `derivatives` or
    beside the image. One that has two has a `problem` that names them.

    Masks that match no scan are reported.
    """
    masks = find_masks(root)
    if not masks:
        yield from scans
        return
    used: set[Path] = set()
    of_person: dict[str | None, list[Named]] = {}
    for mask in masks:
        of_person.setdefault(mask.entities.get("sub"), []).append(mask)

    for scan in scans:
        image = Named.of(Path(os.path.relpath(scan.path, root)))
        mine = of_person.get(image.entities.get("sub"), [])
        own = [mask.path for mask in mine if mask.is_of(image)]
        used |= set(own)
        if len(own) > 1:
            found = " and ".join(map(str, own))
            problem = f"has {len(own)} lesion masks, {found}: name one in a table's `lesion` column"
            yield replace(scan, problem=f"{scan.path}: {problem}")
        else:
            yield replace(scan, lesion=os.path.abspath(own[0]) if own else "")

    left = [mask.path for mask in masks if mask.path not in used]
    if left:
        log.warning(
            "%s: %d lesion masks match no scan by subject, session, contrast and space (%s, for "
            "example)",
            *(root, len(left), left[0]),
        )


def find_masks(root: Path) -> list[Named]:
    """Return the lesion masks below the subjects' folders of a BIDS tree and below its derivatives,
    without what neuromf wrote there.
    """
    found = []
    for top in (*sorted(root.glob("sub-*")), root / "derivatives"):
        for here, _, names in folders_below(top):
            for name in names:
                hidden = name.startswith(".")  # ._NAME: what macOS leaves on other disks
                if hidden or not is_volume(name) or not HINT.search(name):
                    continue
                path = Path(here, name)
                named = Named.of(path.relative_to(root))
                if named.is_lesion() and not written_by_us(path.parent):
                    found.append(replace(named, path=path))
    return found
