"""Which series of a session is the image of a contrast: by its description and its geometry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from neuromf.data.dicom_series import Series

SMALLEST_MM = 100.0  # along every axis; less is no whole brain
LARGEST_VOXEL = 3.5  # mm; above, slices lie too far apart to be resampled to cubes
# `post-op` names an operation, not an agent
AGENT = re.compile(
    r"(?<![a-z])(post(?! ?(?:op|surg))|gd|gad\w*|km|ce|contrast)(?![a-z])|\+ ?c(?![a-z])"
)
# an agent that was not given: `pre contrast`, `w/o gd`; not so `with and without contrast`
NO_AGENT = re.compile(
    r"(?<!and )(?<!und )(?<!& )(?<!w/)(?<!with/)(?<![a-z])"
    r"(?:pre|non|no|without|w[/ ]?o|before|prä|vor|ohne|sans|sin|senza) ?"
    r"(?:iv |any )?(?:gd|gad\w*|km|ce|contrast)(?![a-z])"
)
# in the order in which they are looked for: a T1 FLAIR is T1-weighted, a T2 FLAIR is FLAIR
CONTRASTS = {
    "SWI": re.compile(r"swi|susc|swan"),
    "T1w": re.compile(r"t1|mprage|mp-?rage|spgr|bravo|tfl3d"),
    "FLAIR": re.compile(r"flair|dark.?fluid|tirm"),
    "PDw": re.compile(r"(?<![a-z])pd"),
    "T2w": re.compile(r"t2|space"),
}
DERIVED = ("DERIVED", "MPR", "MIP", "MNIP", "PROJECTION IMAGE", "LOCALIZER", "SCREENSHOT")


def contrast_of(series: Series) -> str:
    """Return the contrast that a series' description names, as BIDS writes it, empty where it names
    none; `ce-T1w` after a contrast agent.
    """
    text = series.description.casefold()
    found = next((name for name, words in CONTRASTS.items() if words.search(text)), "")
    agent = series.contrast_agent or names_agent(text)
    return f"ce-{found}" if found and agent else found


def names_agent(text: str) -> bool:
    """Return True if a description in lower case says that a contrast agent was given; one that
    says that none was, `pre contrast`, names none.
    """
    words = re.sub(r"[\s_-]+", " ", text)
    return bool(AGENT.search(NO_AGENT.sub(" ", words)))


def unusable(series: Series) -> str:
    """Return why a series cannot be a whole brain in 3D, empty where it can."""
    return series.problem or next((why for wrong, why in _checks(series) if wrong), "")


def _checks(series: Series) -> Iterator[tuple[bool, str]]:
    derived = [t for t in series.image_type if t.upper() in DERIVED]
    yield series.modality not in ("", "MR"), f"is {series.modality}, not MR"
    yield bool(derived), f"is {', '.join(derived)}, not an acquisition"
    flat = len(series.shape) != 3 or min(series.shape) < 2
    yield flat, f"has the shape {series.shape}, not that of a volume"
    if not flat:
        voxel, extent = max(series.spacing), min(series.extent)
        yield voxel > LARGEST_VOXEL, f"voxels of {voxel:.3g} mm: {LARGEST_VOXEL:g} mm at most"
        yield extent < SMALLEST_MM, f"covers {extent:.0f} mm: {SMALLEST_MM:g} mm at least"


def choose(session: Sequence[Series], contrast: str, wanted: str = "") -> tuple[Series | None, str]:
    """Return the series of a session that is the image of a contrast, and why none is. `wanted` is
    a regular expression for `NUMBER DESCRIPTION PART`, of which the part is there where a series
    has several volumes, such as echoes; it stands above the contrast.
    """
    usable = [s for s in session if not unusable(s)]
    if wanted:
        pattern = re.compile(wanted, re.IGNORECASE)
        fitting = [s for s in usable if pattern.search(f"{_text(s)} {s.part}".rstrip())]
        # one that ends in $ and knows of no part
        fitting = fitting or [s for s in usable if pattern.search(_text(s))]
    else:
        fitting = [s for s in usable if contrast_of(s) == contrast]

    if len(fitting) == 1:
        return fitting[0], ""
    asked = f"series={wanted}" if wanted else contrast
    if fitting:
        found = "; ".join(s.told for s in fitting)
        return None, f"{len(fitting)} series fit {asked}: {found}. Name one: {_naming(fitting)}"
    others = "; ".join(s.told for s in usable) or "none that is a whole brain in 3D"
    return None, f"no series fits {asked}: {others}"


def _text(series: Series) -> str:
    return f"{series.number} {series.description}"


def _naming(fitting: Sequence[Series]) -> str:
    """Return how to name one of several series."""
    if len({s.number for s in fitting}) == len(fitting):
        return "series='^NUMBER '"
    part = next((s for s in fitting if s.part), None)
    if part is None:
        return "series='^NUMBER DESCRIPTION$'"
    return f"series='^NUMBER .* PART$', '^{part.number} .* {part.part}$' for example"
