"""Figure 1: the method. From scan to latents; the path from data to noise and what the network
learns on it; one call from noise to a brain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon

from neuromf.paper.drawn import Drawn
from neuromf.paper.method_pictures import MODEL, SEED, TIMES, Pictures, Plane, pictures
from neuromf.paper.sources import Sources
from neuromf.paper.style import BLUE, GREEN, SMALL, TEXT, VERMILION, WIDE, page

HEIGHT = 3.35  # inches
ROWS = (2.72, 1.63, 0.54)  # heights of the lanes: path, objective, one call
TILE = 0.74  # side of a square of four channels
PATH = (2.62, 3.92, 5.22, 6.52)  # middles of the points on the path
NETWORK = 3.05  # middle of the network in the second and third lane
FROZEN = "0.93"


def draw(sources: Sources) -> Drawn:
    """Return the figure: it needs no run, only what ships with the package."""
    shown = pictures()
    with page(WIDE, HEIGHT) as figure:
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, WIDE), ylim=(0, HEIGHT))
        axes.axis("off")
        _lanes(axes)
        _path(axes, shown)
        _objective(axes)
        _one_call(axes, shown)

    row = {"source": "the package", "seed": SEED, "template": "MNI152 average (Fonov 2011)"}
    rows = [
        {"panel": "all", "series": MODEL, "file": "model", "sha256": shown.model} | row,
        {"panel": "all", "series": "its VAE", "file": "vae", "sha256": shown.vae} | row,
    ]
    return Drawn(1, "method", figure, CAPTION, rows)


CAPTION = (
    "The method. A frozen VAE turns a scan into latents $z_0$ (four channels are shown, "
    "here of the MNI152 average). Points $z_t$ lie between them, $t = 0$, and noise $z_1$, "
    "$t = 1$. A network learns the average velocity from $t$ to $r$: its derivative along "
    "the path, a Jacobian-vector product (JVP), turns it into the velocity that is compared "
    "with $z_1 - z_0$; sg stops the gradient. One call from $t = 1$ to $r = 0$ is then a "
    "sample, which the decoder turns into a brain: noise, latents and brain in the last "
    "line are of the model that ships with the package."
)


def _lanes(axes: Any) -> None:
    """Name the three lanes at the left, with a line between the second and the third."""
    for height, text in zip(ROWS, ("data", "training", "one call"), strict=True):
        axes.text(0.13, height, text, rotation=90, ha="center", va="center", fontsize=TEXT)
    middle = (ROWS[1] + ROWS[2]) / 2
    axes.plot([0.28, WIDE - 0.05], [middle, middle], color="0.8", linewidth=0.7, linestyle=":")


def _path(axes: Any, shown: Pictures) -> None:
    """Draw scan, encoder, and latents on their way to noise."""
    y = ROWS[0]
    picture(axes, shown.scan, 0.72, y, 0.78)
    arrow(axes, (1.08, y), (1.24, y))
    trapezoid(axes, (1.27, 1.82), y, (0.42, 0.2), "encoder")
    arrow(axes, (1.86, y), (PATH[0] - TILE / 2 - 0.03, y))
    for x, planes in zip(PATH, shown.path, strict=True):
        tiles(axes, planes, x, y)

    names = ("$z_0$", "", "$z_t = (1-t)\\,z_0 + t\\,z_1$", "$z_1 \\sim \\mathcal{N}(0, I)$")
    for x, name in zip((PATH[0], 0, (PATH[1] + PATH[2]) / 2, PATH[3] - 0.03), names, strict=True):
        axes.text(x, y + TILE / 2 + 0.05, name, ha="center", va="bottom", fontsize=TEXT)
    low = y - TILE / 2 - 0.13
    ends = PATH[0] - TILE / 2, PATH[3] + TILE / 2
    arrow(axes, (ends[0], low), (ends[1], low), both=True, colour="0.35")
    for x, t in zip(PATH, TIMES, strict=True):
        axes.plot([x, x], [low - 0.035, low + 0.035], color="0.35", linewidth=0.8)
        said = {0.0: "$t = 0$, data", 1.0: "$t = 1$, noise"}.get(t, "")
        said = said or ("$r$" if t == TIMES[1] else "$t$")
        axes.text(x, low - 0.06, said, ha="center", va="top", fontsize=SMALL)

    # what the network learns is a mean over the part of the axis between r and t
    axes.plot(PATH[1:3], [low, low], color=BLUE, linewidth=2.6, solid_capstyle="butt", zorder=3)
    middle = (PATH[1] + PATH[2]) / 2
    said = "$u$: average velocity"
    axes.text(middle, low - 0.06, said, ha="center", va="top", fontsize=SMALL, color=BLUE)


def _objective(axes: Any) -> None:
    """Draw the network, its derivative, and the loss."""
    y = ROWS[1] - 0.12
    network(axes, y, "$u_\\theta(z_t, t, r)$", "average velocity")
    arrow(axes, (1.9, y), (NETWORK - 0.66, y))
    axes.text(1.84, y, "$z_t,\\ t,\\ r$", ha="right", va="center", fontsize=TEXT)

    box(axes, (4.72, y), (1.5, 0.56), VERMILION)
    axes.text(4.72, y + 0.11, "$V = u_\\theta + (t - r)\\ $sg$\\,\\dot u$", **_centre(TEXT))
    derivative = "$\\dot u = v\\,\\partial_z u_\\theta + \\partial_t u_\\theta$  (JVP)"
    axes.text(4.72, y - 0.14, derivative, **_centre(SMALL))
    arrow(axes, (NETWORK + 0.66, y), (4.72 - 0.78, y))
    arrow(axes, (4.72 + 0.78, y), (5.77, y))
    box(axes, (6.36, y), (1.14, 0.56), VERMILION)
    axes.text(6.36, y + 0.11, "loss", **_centre(SMALL))
    axes.text(6.36, y - 0.1, "$|V - (z_1 - z_0)|^{\\,p}$", **_centre(TEXT))


def _one_call(axes: Any, shown: Pictures) -> None:
    """Draw noise, the network's one call, latents, decoder and brain."""
    y = ROWS[2]
    tiles(axes, shown.noise, 1.2, y)
    axes.text(1.2 - TILE / 2 - 0.06, y, "$z_1$", ha="right", va="center", fontsize=TEXT)
    arrow(axes, (1.2 + TILE / 2 + 0.03, y), (NETWORK - 0.66, y))
    network(axes, y, "$u_\\theta(z_1, 1, 0)$", "one call")
    arrow(axes, (NETWORK + 0.66, y), (4.23, y))

    tiles(axes, shown.sample, 4.63, y)
    axes.text(
        4.63,
        y - TILE / 2 - 0.03,
        "$z_0 = z_1 - u_\\theta(z_1, 1, 0)$",
        ha="center",
        va="top",
        fontsize=SMALL,
    )
    arrow(axes, (4.63 + TILE / 2 + 0.03, y), (5.27, y))
    trapezoid(axes, (5.3, 5.85), y, (0.2, 0.42), "decoder")
    arrow(axes, (5.89, y), (6.1, y))
    picture(axes, shown.brain, 6.46, y, 0.86)


def picture(axes: Any, plane: Plane, x: float, y: float, tall: float) -> None:
    """Draw a plane of a brain around a point, black behind it."""
    wide = tall * plane.shape[1] / plane.shape[0]
    place = (x - wide / 2, x + wide / 2, y - tall / 2, y + tall / 2)
    axes.imshow(plane, extent=place, vmin=0, vmax=1, cmap="gray", aspect="auto", zorder=2)


def tiles(axes: Any, planes: Sequence[Plane], x: float, y: float) -> None:
    """Draw four channels of latents in a square around a point, deviations from -2.5 to 2.5."""
    half = TILE / 2
    for number, plane in enumerate(planes[:4]):
        left, low = x - half + (number % 2) * half, y - (number // 2) * half
        place = (left + 0.01, left + half - 0.01, low + 0.01, low + half - 0.01)
        axes.imshow(plane, extent=place, vmin=-2.5, vmax=2.5, cmap="gray", aspect="auto", zorder=2)


def trapezoid(
    axes: Any, ends: tuple[float, float], y: float, half: tuple[float, float], text: str
) -> None:
    """Draw a part of the frozen VAE that widens from half[0] to half[1]."""
    left, right = ends
    corners = [(left, y - half[0]), (left, y + half[0]), (right, y + half[1]), (right, y - half[1])]
    axes.add_patch(Polygon(corners, facecolor=FROZEN, edgecolor=GREEN, linewidth=1.1))
    middle = (left + right) / 2
    axes.text(middle, y + 0.07, text, **_centre(SMALL))
    axes.text(middle, y - 0.09, "(frozen)", color=GREEN, **_centre(SMALL))


def network(axes: Any, y: float, formula: str, text: str) -> None:
    """Draw the network, the same in both lanes."""
    box(axes, (NETWORK, y), (1.26, 0.56), BLUE)
    axes.text(NETWORK, y + 0.1, formula, **_centre(TEXT))
    axes.text(NETWORK, y - 0.13, text, **_centre(SMALL))


def box(axes: Any, middle: tuple[float, float], size: tuple[float, float], colour: str) -> None:
    """Draw a rounded box around a point."""
    corner = middle[0] - size[0] / 2, middle[1] - size[1] / 2
    style = "round,pad=0,rounding_size=0.07"
    for face, alpha in ((colour, 0.13), ("none", 1.0)):
        edge = colour if face == "none" else "none"
        axes.add_patch(
            FancyBboxPatch(
                corner,
                *size,
                boxstyle=style,
                facecolor=face,
                edgecolor=edge,
                alpha=alpha,
                linewidth=1.1,
            )
        )


def arrow(
    axes: Any,
    start: tuple[float, float],
    end: tuple[float, float],
    *,
    both: bool = False,
    colour: str = "black",
) -> None:
    """Draw an arrow, with a head at both ends if asked."""
    style = "<|-|>" if both else "-|>"
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle=style,
            mutation_scale=7,
            linewidth=0.9,
            color=colour,
            shrinkA=0,
            shrinkB=0,
        )
    )


def _centre(size: int) -> dict[str, Any]:
    return {"ha": "center", "va": "center", "fontsize": size}
