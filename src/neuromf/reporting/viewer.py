"""A viewer of volumes in a page: three planes with a crosshair, and 3D, by NiiVue.

The script and the volumes are part of the page, packed, and are unpacked when the reader asks for
them: a page opens as fast as one without, from a file and without a network.
"""

from __future__ import annotations

import base64
import functools
import gzip
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import nibabel as nib
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from neuromf.reporting.page import environment, fingerprint
from neuromf.runtime.files import write_json
from neuromf.runtime.records import read_record

VERSION = "0.69.0"
SCRIPT = "viewer.js"
FINEST = 2.0  # mm, to which finer volumes are averaged


class HasVoxels(Protocol):
    """A volume: voxels (D, H, W) in [0, 1], and the affine (4, 4) from voxels to mm."""

    @property
    def voxels(self) -> NDArray[Any]: ...

    @property
    def affine(self) -> NDArray[Any]: ...


@dataclass(frozen=True)
class Shown:
    """A volume in a page: its name, and a gzipped NIfTI file of 8-bit levels as base64."""

    name: str
    packed: str


def shown(name: str, volume: HasVoxels) -> Shown:
    """Return a volume as a page holds it: levels 0 to 255 of [0, 1], at 2 mm or coarser. Raises
    ValueError for what is no volume.
    """
    voxels, affine = np.asarray(volume.voxels), np.asarray(volume.affine, dtype=np.float64)
    if voxels.ndim != 3 or affine.shape != (4, 4):
        raise ValueError(
            f"{name}: voxels {voxels.shape}, affine {affine.shape}: (D, H, W) and (4, 4)"
        )
    voxels, affine = coarser(voxels, affine)
    levels = np.rint(255 * np.clip(np.nan_to_num(voxels), 0, 1)).astype(np.uint8)

    image = nib.Nifti1Image(levels, affine)
    image.header.set_xyzt_units("mm")
    packed = gzip.compress(image.to_bytes(), 9, mtime=0)
    return Shown(name, base64.b64encode(packed).decode())


def coarser(voxels: NDArray[Any], affine: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return voxels (D, H, W) and affine (4, 4), averaged over whole numbers of voxels so that none
    is much finer than 2 mm. Voxels over the edge of the last block are left out.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    steps = [max(1, round(FINEST / mm)) if mm > 0 else 1 for mm in spacing]
    steps = [min(step, n) for step, n in zip(steps, voxels.shape, strict=True)]
    whole = [n // step for n, step in zip(voxels.shape, steps, strict=True)]
    cut = voxels[tuple(slice(n * step) for n, step in zip(whole, steps, strict=True))]
    blocks = cut.reshape(*(x for pair in zip(whole, steps, strict=True) for x in pair))

    moved = affine.copy()
    moved[:3, :3] = affine[:3, :3] * steps
    # the centre of the first block lies between the centres of its voxels
    moved[:3, 3] += affine[:3, :3] @ ((np.array(steps) - 1) / 2)
    return blocks.mean(axis=(1, 3, 5)), moved


def viewer(volumes: Sequence[Shown]) -> Markup:
    """Return the viewer as part of a page, which passes `needed(volumes)` on to `render`; empty
    without a volume.
    """
    if not volumes:
        return Markup()
    part = environment("neuromf.reporting").get_template("viewer.html")
    packed, licence = _packed(), _file("LICENSE").decode()
    return Markup(part.render(volumes=volumes, niivue=packed, licence=licence, version=VERSION))


def save_shown(path: Path, volumes: Sequence[Shown]) -> None:
    """Write volumes as a page holds them, for a page that is drawn again without their files."""
    write_json(path, {"volumes": [asdict(volume) for volume in volumes]})


def read_shown(path: Path) -> list[Shown]:
    """Return what `save_shown` wrote; none where there is no such file. Raises RecordError for
    another file.
    """
    if not path.is_file():
        return []
    return read_record(path, dict[str, list[Shown]]).get("volumes", [])


def needed(volumes: Sequence[Shown]) -> dict[str, Any]:
    """Return the arguments of `render` for a page with a viewer; none where it has no volume."""
    if not volumes:
        return {}
    source = _file("niivue.umd.js").decode()
    return {"scripts": (SCRIPT,), "allowed": (fingerprint(source),)}


@functools.cache
def _packed() -> str:
    """Return NiiVue's script, gzipped, as base64: a third of its size."""
    return base64.b64encode(gzip.compress(_file("niivue.umd.js"), 9, mtime=0)).decode()


def _file(name: str) -> bytes:
    return resources.files("neuromf.reporting").joinpath("niivue", name).read_bytes()
