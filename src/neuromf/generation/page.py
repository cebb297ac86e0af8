"""The page of a folder of samples: with what they were drawn, slices, and a few to look at."""

from __future__ import annotations

from pathlib import Path

from neuromf.data.looked import shown_files
from neuromf.generation.samples import SampleFolder, subject
from neuromf.reporting.page import render
from neuromf.reporting.viewer import needed, viewer

IN_VIEWER = 4  # samples: each adds some 300 kB to the page
# what the page says of all samples: the sidecar's keys, and their names there
KEYS = {
    "Model": "model",
    "ModelSha256": "its SHA-256",
    "VAE": "VAE",
    "NFE": "network calls",
    "Seed": "seed",
    "Precision": "precision",
    "Device": "device",
    "LesionKind": "lesions in training",
    "MaskCode": "code of lesion masks",
}


def page(out: Path, samples: SampleFolder, name: str) -> str:
    """Return the HTML page of samples that were drawn into `out` from the model `name`."""
    files = {subject(i): path for i, path in enumerate(samples.paths[:IN_VIEWER])}
    volumes = shown_files(files)
    return render(
        "neuromf.generation",
        "page.html",
        title=f"Brains drawn from {name}",
        run=out,
        samples=samples,
        facts={label: samples.about[key] for key, label in KEYS.items() if key in samples.about},
        asked=asked(samples),
        contact=out / "contact.png",
        viewer=viewer(volumes),
        **needed(volumes),
    )


def asked(samples: SampleFolder) -> list[tuple[str, str]]:
    """Return the samples in the viewer with what each was asked to be; none where nothing was
    asked.
    """
    if not samples.asked.asks:
        return []
    rows = []
    for number in range(min(samples.n, IN_VIEWER)):
        wanted = samples.asked.sidecar(number).get("Conditions", {})
        rows.append(
            (subject(number), ", ".join(f"{k} {v}" for k, v in wanted.items()) or "nothing")
        )
    return rows
