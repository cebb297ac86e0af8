"""A scan: its file and what a manifest says about it."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

NAMED = re.compile(r"^(?P<subject>(?:.*?_)?sub-[^_]+)(?:_ses-(?P<session>[^_]+))?")
LONGEST = 180  # bytes of a name; most file systems take 255, with an ending and a temporary name


@dataclass(frozen=True)
class Scan:
    """One scan of one subject, and what is known about them; empty if unknown."""

    path: str
    subject: str
    session: str = ""
    mask: str = ""  # a brain mask for it
    dataset: str = ""
    group: str = ""  # diagnosis, for example
    age: str = ""
    sex: str = ""
    contrast: str = ""  # T1w, FLAIR
    site: str = ""  # or scanner
    lesion: str = ""  # a mask of its lesions
    label: str = ""  # distinguishes its files from those of another subject with the same safe name
    problem: str = ""  # why it cannot be used, where that is known before it is read

    @property
    def full_name(self) -> str:
        """Subject and session."""
        return f"{self.subject}_ses-{self.session}" if self.session else self.subject

    @property
    def name(self) -> str:
        """A file name for the scan: subject and session, without characters that file
        systems reject.
        """
        safe = re.sub(r"[^\w.-]+", "-", self.full_name)
        safe = safe.encode()[:LONGEST].decode(errors="ignore")
        visible = f"_{safe}" if safe.startswith(".") else safe
        return f"{visible}-{self.label}" if self.label else visible

    def row(self) -> dict[str, str]:
        """Return the scan as a row of a table."""
        return {column: getattr(self, column) for column in COLUMNS}


COLUMNS = tuple(f.name for f in fields(Scan) if f.name not in {"label", "problem"})
