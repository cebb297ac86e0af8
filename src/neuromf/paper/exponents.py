"""The exponent p of the loss in the groups of a study."""

from __future__ import annotations

from neuromf.flow import MeanFlow
from neuromf.paper.arms_table import Group

AXIS = "p"
ARM = "p-"  # beginning of a label that names an exponent
# the arm of studies/brains.yaml that others change one thing of: its exponent is the default
BASE = "gaussian"
DEFAULT = MeanFlow().p


def exponent(group: Group) -> float | None:
    """Return the exponent that a group was trained with, None where it varies something else."""
    if AXIS in group.values:
        return float(group.values[AXIS])
    for label in group.values.values():
        if label == BASE:
            return DEFAULT
        if label.startswith(ARM):
            return float(label.removeprefix(ARM))
    return None


def by_exponent(groups: list[Group], prediction: str = "") -> dict[float, Group]:
    """Return groups by rising exponent; those of one prediction, where the study has several."""
    found = {}
    for group in groups:
        own = group.values.get("prediction", prediction)
        p = exponent(group)
        if p is not None and own == prediction:
            found[p] = group
    return dict(sorted(found.items()))
