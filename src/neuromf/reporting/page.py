"""Pages: one HTML file with its pictures embedded, on one base template.

A template extends base.html, fills the block `content`, and takes tables and figures from
parts.html; `image(picture, alt)` and `photo(path, alt, width)` are available in every template.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image

from neuromf.reporting import plots
from neuromf.reporting.provenance import read_provenance
from neuromf.reporting.slices import Picture

CSS_DPI = 96  # pixels an inch, of CSS
QUALITY = 82  # of a photo, as JPEG


def render(
    package: str,
    template: str,
    *,
    title: str,
    run: Path,
    scripts: Sequence[str] = (),
    allowed: Sequence[str] = (),
    **values: object,
) -> str:
    """Return a page: `template`, a resource of `package`, filled with `values`.

    `run` is the folder of the run that the page shows; the page ends with what was run, when, with
    which versions, and how to run it again. All values are escaped. `scripts` are names of files
    beside the base template, such as slider.js: the page runs them and, by its content security
    policy, no other than those whose fingerprints are `allowed`. Raises
    jinja2.UndefinedError for a value that the template uses and `values` lacks.
    """
    page = environment(package).get_template(template)
    sources = [script(name) for name in scripts]
    known = " ".join([*map(fingerprint, sources), *allowed])
    return page.render(
        title=title,
        run=read_provenance(run),
        scripts=[Markup(s) for s in sources],
        policy=Markup(f"; script-src {known}" if known else ""),
        **values,
    )


def script(name: str) -> str:
    """Return a script of this package, as text."""
    return resources.files("neuromf.reporting").joinpath(name).read_text(encoding="utf-8")


def fingerprint(source: str) -> str:
    """Return how a content security policy names a script that may run."""
    digest = hashlib.sha256(source.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


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


def photo(path: Path, alt: str, width: int = 0) -> Markup:
    """Return an <img> with a picture embedded as a grey JPEG, a fifth of the PNG's size; a picture
    wider than `width` pixels, if that is given, is made smaller.
    """
    with Image.open(path) as opened:
        grey = opened.convert("L")
    if width and grey.width > width:
        grey = grey.resize(
            (width, round(grey.height * width / grey.width)), Image.Resampling.LANCZOS
        )

    buffer = io.BytesIO()
    grey.save(buffer, format="JPEG", quality=QUALITY, optimize=True)
    address = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    tag = Markup('<img src="{}" alt="{}" width="{}" height="{}">')
    return tag.format(address, alt, grey.width, grey.height)


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
def environment(package: str) -> Environment:
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
    pages.globals |= {"image": image, "photo": photo}
    return pages
