"""Brain masks: none, a given one, the template's, a network's, or an external program's, behind one
interface.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import nibabel as nib
import numpy as np

from neuromf.data.brain_network import load_brain_network, network_mask
from neuromf.data.foreground import BRAIN_ML, Mask, foreground
from neuromf.data.reading import read_volume
from neuromf.data.resample import grid_of, resample
from neuromf.data.template import template_mask
from neuromf.data.view import LEAST_OVERLAP, overlap, share_out_of_view
from neuromf.data.volume import Volume, VolumeError
from neuromf.runtime.folders import local_path

Method = Literal["auto", "none", "mask", "template", "network", "synthstrip", "hd-bet"]
PROGRAMS: dict[str, tuple[str, Callable[[str, str], list[str]], str]] = {
    # method -> program, its arguments for a scan and a stem of results, the mask that it writes
    "synthstrip": (
        "mri_synthstrip",
        lambda scan, to: ["-i", scan, "-m", f"{to}_mask.nii.gz"],
        "_mask.nii.gz",
    ),
    "hd-bet": (
        "hd-bet",
        lambda scan, to: ["-i", scan, "-o", f"{to}.nii.gz", "--save_bet_mask"],
        "_bet.nii.gz",
    ),
}
LONGEST_S = 7 * 24 * 3600.0
LARGEST_ML = 3000.0  # of a brain mask, room for a mask that was grown by some mm; a head has 4 l
# share of a given mask that may lie outside the scan: one that begins late lacks the vertex, or a
# part of the cerebellum, which a mask drawn on another scan of the person has
OUT_OF_VIEW = 0.1
NOTED = 0.03  # and the share from which on it is noted
IN_AIR = 0.2  # share of a given mask in the scan's background that is noted; a mask may be generous


@dataclass(frozen=True)
class StripConfig:
    """How the brain is found. `auto` keeps a scan that is stripped already and uses `template`
    for a whole head.
    """

    method: Method = "auto"
    program: str = ""  # path of the external program, if not on the PATH
    arguments: tuple[str, ...] = ()  # further arguments for it, --gpu for example
    timeout: float = 1800  # seconds per scan
    weights: str = ""  # of method=network: a folder that train-skullstrip wrote

    def __post_init__(self) -> None:
        if bool(self.weights) != (self.method == "network"):
            raise ValueError(
                f"method is {self.method}, weights {self.weights!r}: method=network needs "
                "weights=, a folder that `neuromf train-skullstrip` wrote, and no other method "
                "takes any"
            )
        if (self.program or self.arguments) and self.method not in PROGRAMS:
            raise ValueError(
                "program and arguments are for "
                f"method={' or '.join(PROGRAMS)}, method is {self.method}"
            )
        if not 0 < self.timeout <= LONGEST_S:
            raise ValueError(f"timeout is {self.timeout}: seconds, above 0 and up to a week")

    def check(self) -> None:
        """Raise VolumeError if the method needs a program that is missing, and WeightsError or
        RecordError if it needs weights that cannot be read.
        """
        if self.method in PROGRAMS:
            self.found()
        if self.method == "network":
            load_brain_network(local_path(self.weights))

    def found(self) -> str:
        """Return the path of the external program."""
        name = self.program or PROGRAMS[self.method][0]
        program = shutil.which(name)
        if program is None:
            raise VolumeError(
                f"preprocessing.strip.method={self.method}: {name} is not to be found: install "
                "it, set preprocessing.strip.program=/path/to/it, or take "
                "preprocessing.strip.method=template"
            )
        return program


class Brain(NamedTuple):
    """What is kept of a scan (None: all of it), where its brain is, and a record of how
    that was found.
    """

    kept: Mask | None
    brain: Mask
    record: dict[str, Any]


def find_brain(
    volume: Volume, config: StripConfig, given: str = "", assume_orientation: str = ""
) -> Brain:
    """Return the brain of a canonical volume. In a stripped scan, everything but its constant
    background is kept.

    `given` is the file of a precomputed mask, `assume_orientation` its axis codes where its header
    gives none. The record may hold `notes`. Raises VolumeError if the method finds no brain, or the
    mask is of another space, and names the option.
    """
    method: str = config.method
    if method == "mask" and not given:
        raise VolumeError(
            "preprocessing.strip.method=mask, but the scan has no "
            "mask: give a `mask` column in a manifest"
        )

    if method == "auto" and given:
        method = "mask"
    if method in {"auto", "none"}:
        front = foreground(volume)
        if method == "none" or front.stripped:
            kept = front.present if front.stripped else None
            return Brain(kept, front.mask, {"method": "none", "stripped_already": front.stripped})
        method = "template"

    if method == "mask":
        mask, record = _given_mask(volume, Path(given), assume_orientation)
    elif method == "template":
        mask, record = template_mask(volume)
    elif method == "network":
        mask, record = network_mask(volume, local_path(config.weights))
    else:
        mask, record = _external_mask(volume, method, config)

    ml = float(mask.sum()) * volume.voxel_ml
    if not BRAIN_ML[0] / 4 < ml:
        raise VolumeError(
            f"preprocessing.strip.method={method} left a brain of {ml:.0f} ml: try another "
            "method, or give a mask"
        )
    if ml > LARGEST_ML:
        raise VolumeError(
            f"preprocessing.strip.method={method} left a brain of {ml:.0f} ml, {LARGEST_ML:.0f} ml "
            "at most is expected: is it the mask of a head? Try another method, or another mask"
        )

    return Brain(mask, mask, {"method": method, "brain_ml": round(ml, 1)} | record)


def _given_mask(volume: Volume, path: Path, assume_orientation: str) -> tuple[Mask, dict[str, Any]]:
    """Return a mask from a file on any grid, in the volume's voxels, and a record of it. Raises
    VolumeError if it lies in another space.
    """
    mask = _read_mask(path, assume_orientation)
    outside = share_out_of_view(mask, volume)
    if overlap(mask, volume) < LEAST_OVERLAP or outside > OUT_OF_VIEW:
        raise VolumeError(
            f"{path}: {100 * outside:.0f} % of the brain mask lies outside the scan's field of "
            f"view, {100 * OUT_OF_VIEW:.0f} % at most is expected: it is of another subject or "
            "space, or a header is wrong (if the scan shows a part of the brain only, cut the mask "
            "to it)"
        )
    placed = _on_grid(mask, volume)
    air = float((placed & ~foreground(volume).mask).sum() / max(placed.sum(), 1))
    said = (
        (outside, NOTED, "outside the scan's field of view"),
        (air, IN_AIR, "in its background"),
    )
    notes = [
        f"{100 * share:.0f} % of the brain mask lies {where}: is it the mask of this scan?"
        for share, least, where in said
        if share > least
    ]
    return placed, {"file": str(path)} | ({"notes": notes} if notes else {})


def _read_mask(path: Path, assume_orientation: str = "") -> Volume:
    """Return a mask in its own voxels, 0 and 1."""
    mask = read_volume(path, assume_orientation)
    return Volume((mask.voxels > 0).astype(np.float32), mask.affine).canonical()


def _on_grid(mask: Volume, volume: Volume) -> Mask:
    """Return a mask in the voxels of a volume."""
    return resample(mask, grid_of(volume), smooth=False).voxels > 0.5


def _external_mask(volume: Volume, method: str, config: StripConfig) -> tuple[Mask, dict[str, Any]]:
    """Return the mask that an external program writes; it is called with a list of arguments, never
    through a shell.
    """
    _, arguments, written = PROGRAMS[method]
    program = config.found()
    with tempfile.TemporaryDirectory(prefix="neuromf-strip-") as folder:
        scan, to = f"{folder}/scan.nii.gz", f"{folder}/brain"
        nib.save(nib.Nifti1Image(volume.voxels, volume.affine), scan)
        command = [program, *arguments(scan, to), *config.arguments]

        try:
            # what a program says need not be UTF-8
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=config.timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise VolumeError(
                f"{program} took longer than preprocessing.strip.timeout={config.timeout:g} s"
            ) from None

        if done.returncode or not Path(to + written).is_file():
            said = (
                " / ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
                or "it said nothing"
            )
            raise VolumeError(f"{program} ended with status {done.returncode} and no mask: {said}")

        return _on_grid(_read_mask(Path(to + written)), volume), {
            "program": program,
            "stderr": done.stderr.strip()[-500:],
        }
