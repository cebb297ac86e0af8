"""`neuromf verify`: what the project is held to, measured here, as a table with gates."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from neuromf.reporting import plots
from neuromf.reporting.page import render
from neuromf.runtime.files import write_json, write_text
from neuromf.runtime.folders import Output, local_path
from neuromf.runtime.parallel import cores
from neuromf.runtime.run import open_run
from neuromf.verification import sources
from neuromf.verification.blocks import blocks
from neuromf.verification.config import VerifyConfig
from neuromf.verification.derivatives import derivatives
from neuromf.verification.exponents import exponents
from neuromf.verification.judge import Evidence, Verdict, gate, judged
from neuromf.verification.machine import machine
from neuromf.verification.markdown import counts, document, evidence
from neuromf.verification.memory import memory
from neuromf.verification.one_call import one_call
from neuromf.verification.real_latents import real_latents
from neuromf.verification.schedules import schedules
from neuromf.verification.section import Section
from neuromf.verification.suite import Outcome, read_outcomes, run_tests
from neuromf.verification.table import Table, read_table

log = logging.getLogger("neuromf")
OUTPUT = Output(
    "verify",
    ("verification.json", "verification.md", "index.html", "tests.xml", "figures/*.png"),
    loose=("runs/**",),
)


def run(config: VerifyConfig, out: Path, *, resume: bool = False, overwrite: bool = False) -> int:
    """Write verification.json, verification.md and a page into `out`, print what failed, and return
    the number of rows whose tests or numbers failed on this machine.

    Raises ValueError for unknown phases and for a file that is no JUnit file, FileNotFoundError
    where a file or folder is not there.
    """
    table = read_table().chosen(config.phases)
    if config.tests and not local_path(config.tests).is_file():
        raise FileNotFoundError(f"tests={config.tests}: no such file")
    inputs = [config.volumes, config.tests, config.model]
    with open_run(out, config, OUTPUT, inputs, resume=resume, overwrite=overwrite):
        outcomes, untested = _tests(config, table, out)
        given = {"volumes": config.volumes, "model": config.model}
        missing = sources.make(table.sources, given, out, quick=config.quick)
        sections = list(_sections(config, out, missing))
        measured = {k: v for section in sections for k, v in section.values.items()}
        found = Evidence(outcomes, untested, measured, missing, out)
        verdicts = {p.name: [judged(row, found) for row in p.rows] for p in table.phases}
        _write(table, verdicts, sections, out)
        return _say(verdicts, out)


def _tests(config: VerifyConfig, table: Table, out: Path) -> tuple[dict[str, Outcome], str]:
    """Return what the tests gave, and why they did not run."""
    if config.tests:
        return read_outcomes(local_path(config.tests)), ""
    xml = out / "tests.xml"
    if not xml.is_file():
        names = table.tests(of_gates=config.quick)
        log.info("%d tests and files of tests", len(names))
        try:
            run_tests(names, xml, config.workers or cores())
        except (FileNotFoundError, RuntimeError) as error:
            return {}, str(error)
    return read_outcomes(xml), ""


def _sections(config: VerifyConfig, out: Path, missing: dict[str, str]) -> Iterator[Section]:
    """Measure what is neither a test nor a run."""
    for measure in (derivatives, exponents, blocks, memory, schedules):
        log.info("%s", measure.__name__)
        yield measure()
    if not config.quick:
        log.info("samples of one call")
        yield one_call(config.model)
    latents = out / sources.RUNS / "latents"
    if "latents" not in missing and latents.is_dir():
        log.info("real latents")
        yield real_latents(latents, config.model)


def _write(
    table: Table, verdicts: dict[str, list[Verdict]], sections: list[Section], out: Path
) -> None:
    states = {v.row.id: v.state for rows in verdicts.values() for v in rows if v.row.id}
    gates = {p.name: gate(p, states) for p in table.phases if p.gate}
    where = machine()
    write_json(out / "verification.json", _record(verdicts, gates, sections, where))
    write_text(out / "verification.md", document(table.phases, verdicts, gates, where))

    (out / "figures").mkdir(exist_ok=True)
    drawn = {
        section.name: plots.save(out / "figures" / f"{section.name}.png", section.plot)
        for section in sections
        if section.plot is not None
    }
    page = render(
        "neuromf.verification",
        "verify.html",
        title="Verification",
        run=out,
        machine=where,
        phases=table.phases,
        verdicts=verdicts,
        gates=gates,
        sections=sections,
        drawn=drawn,
        counts=counts,
        evidence=evidence,
    )
    write_text(out / "index.html", page)


def _record(
    verdicts: dict[str, list[Verdict]],
    gates: dict[str, tuple[bool, str]],
    sections: list[Section],
    where: str,
) -> dict[str, object]:
    return {
        "machine": where,
        "gates": {name: {"open": open_, "why": why} for name, (open_, why) in gates.items()},
        "rows": [
            {"phase": name, **asdict(v.row), "state": v.state, "found": v.found, "why": v.why,
             "seconds": v.seconds}
            for name, rows in verdicts.items()
            for v in rows
        ],
        "measured": {section.name: dict(section.values) for section in sections},
    }  # fmt: skip


def _say(verdicts: dict[str, list[Verdict]], out: Path) -> int:
    """Print how many rows passed, and what failed; return the number that failed here."""
    every = [v for rows in verdicts.values() for v in rows]
    failed = [v for v in every if v.state == "fail" and not (v.row.seen and not v.row.seen.reached)]
    for verdict in failed:
        print(f"fail: {verdict.row.id or verdict.row.what}: {verdict.why}")
    print(f"{len(every)} rows; pass, fail, not run: {counts(every)}; look at {out / 'index.html'}")
    return len(failed)
