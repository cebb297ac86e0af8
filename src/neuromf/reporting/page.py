"""Pages: one HTML file with its pictures embedded, on one base template.

A template extends base.html, fills the block `content`, and takes tables and figures from
parts.html; `image(picture, alt)` is available in every template.
"""

from __future__ import annotations

import base64
import functools
import io
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image

from neuromf.reporting import plots
from neuromf.reporting.provenance import read_provenance
from neuromf.reporting.slices import Picture

CSS_DPI = 96  # pixels an inch, of CSS


def render(package: str, template: str, *, title: str, run: Path, **values: object) -> str:
    """Return a page: `template`, a resource of `package`, filled with `values`.

    `run` is the folder of the run that the page shows; the page ends with what was run, when, with
    which versions, and how to run it again. All values are escaped. Raises jinja2.UndefinedError
    for a value that the template uses and `values` lacks.
    """
    page = _environment(package).get_template(template)
    return page.render(title=title, run=read_provenance(run), **values)


def image(picture: Path | Figure | Image.Image | Picture, alt: str) -> Markup:
    """Return an <img> with the picture embedded: a PNG file, a figure, an image, or an array
    (H, W) or (H, W, 3).

    It is shown at its size in inches if it has one, as figures do, and pixel by pixel otherwise.
    """
    content = _png(picture)
    with Image.open(io.BytesIO(content)) as opened:
        across, down = opened.info.get("dpi", (CSS_DPI, CSS_DPI))
        width, height = opened.width * CSS_DPI / across, opened.height * CSS_DPI / down

    address = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    tag = Markup('<img src="{}" alt="{}" width="{}" height="{}">')
    return tag.format(address, alt, round(width), round(height))


def _png(picture: Path | Figure | Image.Image | Picture) -> bytes:
    if isinstance(picture, Path):
        return picture.read_bytes()
    if isinstance(picture, Figure):
        return plots.png(picture)

    drawn = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    drawn.save(buffer, format="PNG")
    return buffer.getvalue()


@functools.cache
def _environment(package: str) -> Environment:
    """Return what reads the templates of a package, and the base templates of this one."""
    # those here first: templates of other packages have other names
    folders = [PackageLoader(name, ".") for name in ("neuromf.reporting", package)]
    pages = Environment(
        loader=ChoiceLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,  # a misspelt name is an error, not an empty place
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.globals["image"] = image
    return pages
