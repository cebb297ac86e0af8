"""Which groups of a study are compared: along each axis, those that agree in all other axes."""

from __future__ import annotations

from dataclasses import dataclass

from neuromf.study.folder import Table

BASELINE = "baseline"


@dataclass(frozen=True)
class Slice:
    """Groups that differ in one axis alone."""

    at: str  # the values of the other axes
    groups: dict[str, str]  # name -> what it is called within the slice


@dataclass(frozen=True)
class Family:
    """Comparisons whose p values are corrected together, for each measure."""

    name: str  # the axis
    slices: tuple[Slice, ...]


def families(table: Table, baseline: str = "") -> list[Family]:
    """Return a family for each axis with two or more values, and one of all other groups against
    `baseline` where one is named.

    Raises ValueError for a baseline that is no group.
    """
    found = [family for axis in table.axes if (family := _along(table, axis)).slices]
    if baseline:
        found.append(_against(table, baseline))
    return found


def _along(table: Table, axis: str) -> Family:
    slices: dict[str, dict[str, str]] = {}
    for group, values in table.groups.items():
        others = {a: v for a, v in values.items() if a != axis}
        at = ", ".join(f"{a} = {v}" for a, v in others.items())
        slices.setdefault(at, {})[group] = values.get(axis, "")
    several = [Slice(at, groups) for at, groups in slices.items() if len(groups) > 1]
    return Family(axis, tuple(several))


def _against(table: Table, baseline: str) -> Family:
    if baseline not in table.groups:
        raise ValueError(
            f"baseline {baseline!r} is no group of the study: {', '.join(table.groups)}"
        )
    others = [group for group in table.groups if group != baseline]
    return Family(BASELINE, tuple(Slice("", {g: g, baseline: baseline}) for g in others))
