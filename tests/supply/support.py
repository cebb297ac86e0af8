"""The distributions that the package needs, as they are installed here, and their licences.

python tests/supply/support.py lists them.
"""

import re
from importlib import metadata

from packaging.requirements import Requirement

EXTRAS = ("slurm", "hub", "log")  # what users install; dev and audit are tools of this repository
GPL = re.compile(r"(?<!L)GPL|(?<!Lesser )General Public License", re.IGNORECASE)
LESSER = re.compile(r"LGPL|Lesser General Public License|Library General Public", re.IGNORECASE)


def needed(name="neuromf", extras=EXTRAS):
    """Return the distributions, by normalised name, that one needs, itself left out; what is not
    installed, such as an extra, is not among them.
    """
    found, waiting = {}, [(name, tuple(extras))]
    while waiting:
        name, extras = waiting.pop()
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        if normalised(name) in found:
            continue
        found[normalised(name)] = distribution
        for text in distribution.requires or ():
            wanted = Requirement(text)
            if applies(wanted, extras):
                waiting.append((wanted.name, tuple(wanted.extras)))
    found.pop("neuromf", None)
    return found


def applies(wanted, extras):
    marker = wanted.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def normalised(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def licence(distribution):
    """Return what a distribution says of its licence: an SPDX expression, classifiers, or text."""
    said = distribution.metadata
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in said.get_all("Classifier") or ()
        if line.startswith("License :: ") and not line.endswith("OSI Approved")
    ]
    text = (said.get("License") or "").strip().splitlines()
    return said.get("License-Expression") or ", ".join(classifiers) or (text or [""])[0]


def is_gpl(text):
    """Return True if a licence is the GPL or AGPL, and no other may be chosen."""
    choices = re.split(r"\bOR\b", text)
    return all(GPL.search(LESSER.sub("", choice)) for choice in choices)


if __name__ == "__main__":
    for name, distribution in sorted(needed().items()):
        print(f"{name:28} {distribution.version:14} {licence(distribution) or 'not said'}")
