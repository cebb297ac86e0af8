"""The table as a page of the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neuromf.verification.judge import State, Verdict
from neuromf.verification.table import Phase

HEAD = """# Verification

This page is written by `neuromf verify`; nothing in it is typed by hand but what each row asks
for. {machine}

`make verify` repeats it. A row passes where its tests pass and its numbers keep their bounds. A
number that was measured earlier is marked as recorded, with its machine. What was not run, or was
measured on less than the criterion asks for, says so. Evidence is a test, a file of a run, or
`measured`: what `neuromf verify` computes itself, see the page that it writes.

A new network returns zeros, and a derivative test on zeros proves nothing. Tests of derivatives run
on networks whose zero-initialised layers were given random weights.

"""


def document(
    phases: Sequence[Phase],
    verdicts: Mapping[str, Sequence[Verdict]],
    gates: Mapping[str, tuple[bool, str]],
    machine: str,
) -> str:
    """Return the page: gates, then the rows of each phase."""
    lines = [HEAD.format(machine=machine), "| phase | gate | rows that pass, fail, were not run |"]
    lines.append("|---|---|---|")
    for phase in phases:
        open_, why = gates.get(phase.name, (True, "no gate"))
        said = f"{'open' if open_ else 'closed'}: {why}" if phase.gate else "none"
        lines.append(f"| {_title(phase)} | {_safe(said)} | {counts(verdicts[phase.name])} |")

    for phase in phases:
        named = any(row.id for row in phase.rows)
        lines += ["", f"## {_title(phase)}", "", _head(named), "|---" * (6 + named) + "|"]
        lines += [_line(verdict, named) for verdict in verdicts[phase.name]]
    return "\n".join(lines) + "\n"


def counts(verdicts: Sequence[Verdict]) -> str:
    """Return how many rows pass, fail and were not run."""
    states: tuple[State, ...] = ("pass", "fail", "not run")
    return ", ".join(str(sum(v.state == state for v in verdicts)) for state in states)


def evidence(verdict: Verdict) -> list[str]:
    """Return what a row rests on: tests, files and commands."""
    return list(dict.fromkeys([*verdict.row.tests, *(f.source for f in verdict.row.figures)]))


def _title(phase: Phase) -> str:
    return f"{phase.name}: {phase.title}" if phase.gate else phase.title


def _head(named: bool) -> str:
    return ("| id " if named else "") + "| what | criterion | evidence | found | state | seconds |"


def _line(verdict: Verdict, named: bool) -> str:
    row = verdict.row
    id_ = f"{row.id}, {row.family}" if row.family else row.id
    names = ", ".join(f"`{name}`" for name in evidence(verdict))
    found = "; ".join(part for part in (verdict.found, verdict.why) if part)
    cells = [row.what, row.criterion, names, found, verdict.state, _seconds(verdict)]
    return "| " + " | ".join(map(_safe, ([id_] if named else []) + cells)) + " |"


def _seconds(verdict: Verdict) -> str:
    return f"{verdict.seconds:.1f}" if verdict.seconds else ""


def _safe(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
