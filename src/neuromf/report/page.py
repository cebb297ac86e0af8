"""The page of one training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from neuromf.report import figures, glance
from neuromf.report.decoded import Decoded
from neuromf.report.drawing import draw_network, many
from neuromf.report.findings import findings
from neuromf.report.judged import Judged
from neuromf.report.network import Network, network_of
from neuromf.report.trained import Trained
from neuromf.reporting.page import render
from neuromf.reporting.viewer import needed, viewer
from neuromf.training.memory import step_parts

FRAMES = 12  # pictures of samples on a page, evenly over the run
WIDEST = 760  # pixels of such a picture


def run_page(run: Trained, out: Path, judged: Judged | None, seen: Decoded, back: str = "") -> str:
    """Return the page of a training, for the report in `out`: with an evaluation of its samples, if
    there is one, and volumes to look at; `back` is the address of the page that compares it with
    others.
    """
    network = network_if_known(run)
    memory = memory_of(run, network)
    return render(
        "neuromf.report",
        "page.html",
        title=run.name,
        run=out,
        scripts=("slider.js", *(needed(seen.volumes).get("scripts", ()))),
        allowed=needed(seen.volumes).get("allowed", ()),
        viewer=viewer(seen.volumes),
        seen=seen,
        judged=judged,
        trained=run,
        back=back,
        findings=findings(run),
        glance=glance.glance(run, network),
        frames=frames(run),
        run_moments=glance.moments(run),
        figures=drawn(run, network),
        evaluated=glance.evaluated(run),
        network=network,
        times=times(network),
        memory={name: gigabytes(size) for name, size in memory.items()},
        memory_sum=gigabytes(sum(memory.values())),
        starts=glance.starts(run),
        command=glance.command(run),
    )


def memory_of(run: Trained, network: Network | None) -> dict[str, float]:
    """Return the memory of an update in GB by what holds it; that of activations where the size of
    the latents is known and fits the network.
    """
    config = run.settings.config
    if network is None or config is None:
        return {}
    return step_parts(network.parameters, config, () if network.missing else run.shape)


def network_if_known(run: Trained) -> Network | None:
    """Return the network of a run, None where its configuration cannot be read."""
    config = run.settings.config
    return None if config is None else network_of(config, run.shape)


def drawn(run: Trained, network: Network | None) -> dict[str, Figure]:
    """Return the figures of a run by name, of what its folder holds."""
    found: dict[str, Any] = {}
    if not run.log.missing:
        found |= {"losses": figures.losses, "gradients": figures.gradients, "speed": figures.speed}
    if not run.diagnostics.missing:
        found |= {"intervals": figures.intervals, "blocks": figures.blocks}
    if not run.evaluation.missing:
        found |= {"velocity": figures.velocity, "evaluation": figures.evaluation}

    pictures: dict[str, Figure] = {name: draw(run) for name, draw in found.items()}
    if network is not None:
        pictures["network"] = draw_network(network)
    return pictures


def frames(run: Trained, most: int = FRAMES) -> list[tuple[str, Path]]:
    """Return label and file of the previews to show: all, or `most` of them evenly over the run,
    the first and the last among them.
    """
    previews = run.previews
    places = np.linspace(0, len(previews) - 1, min(most, len(previews))).round().astype(int)
    return [(f"update {previews[i].update}", previews[i].picture) for i in places]


def times(network: Network | None) -> str:
    """Return the parameters of the embedding of times, which is in no box of the drawing."""
    found = [p for p in network.parts if p.side == "beside"] if network is not None else []
    return f"{many(found[0].parameters)} parameters" if found else ""


def gigabytes(size: float) -> str:
    """Return a size in GB as a reader wants it."""
    return f"{size:.3g} GB"
