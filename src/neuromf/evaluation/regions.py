"""Sizes of brain regions of a measured set: by tissue mixture, or by SynthSeg."""

from __future__ import annotations

import json

import torch
from safetensors.torch import load, save
from torch import Tensor

from neuromf.evaluation.measured import MeasuredSet
from neuromf.evaluation.measurer import Measurer
from neuromf.features.measure import fingerprint
from neuromf.features.plain import TISSUE
from neuromf.runtime.files import write_bytes, write_json
from neuromf.segmentation.synthseg import Parcellation, synthseg
from neuromf.segmentation.tissue import METHOD, REGIONS

METHODS = {"tissue": METHOD, "synthseg": "SynthSeg", "none": ""}  # as a page calls them


def region_sizes(measured: MeasuredSet, measurer: Measurer) -> dict[str, Tensor]:
    """Return the size of each region in ml, of every volume (N,)."""
    if measurer.config.morphology == "tissue":
        ml = measured.features.stacked(TISSUE, "ml")
        return {name: ml[:, i] for i, name in enumerate(REGIONS)}
    if measurer.config.morphology == "none":
        return {}
    return synthseg_sizes(measured, measurer)


def synthseg_sizes(measured: MeasuredSet, measurer: Measurer) -> dict[str, Tensor]:
    """Return what SynthSeg measures; it runs once over a set, and its answer
    is kept in the run's folder.
    """
    files = fingerprint(*(f.sha256 for f in measured.features.files))
    folder = measurer.out / "synthseg" / files[:16]
    kept = folder / "ml.safetensors"
    if not kept.is_file():
        found = synthseg(measured.volumes.paths, folder, measurer.config.synthseg)
        write_json(folder / "quality.json", [p.quality for p in found])
        names = [name for name in found[0].ml if all(name in p.ml for p in found)]
        table = {
            name: torch.tensor([p.ml[name] for p in found], dtype=torch.float64) for name in names
        }
        write_bytes(kept, save(table))

    scores = json.loads((folder / "quality.json").read_text(encoding="utf-8"))
    passed = sum(Parcellation({}, quality).passed for quality in scores)
    measurer.notes.append(
        f"{measured.name}: SynthSeg's own quality check passes {passed} of {len(scores)}"
    )
    return dict(sorted(load(kept.read_bytes()).items()))
