"""The project's tests as evidence: run by pytest, or read from a JUnit file that it wrote."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import neuromf

ROOT = Path(neuromf.__file__).parents[2]  # of a checkout
MEASURED = "measured"  # the property in which a test records what it measured
NO_TEST_FAILED = (0, 1, 5)  # exit codes of pytest: all passed, some failed, none was chosen


@dataclass(frozen=True)
class Outcome:
    """What became of one test."""

    passed: bool
    skipped: bool
    seconds: float
    measured: tuple[str, ...]  # in the test's own words
    message: str  # of a test that failed or was skipped


Outcomes = Mapping[str, Outcome]  # by module.path.Class.name, parameters with it


def run_tests(tests: Sequence[str], xml: Path, workers: int) -> None:
    """Run tests of the checkout in a process of their own, and let pytest write a JUnit file.

    Raises FileNotFoundError where there is no checkout, RuntimeError where pytest itself fails.
    """
    if not (ROOT / "tests").is_dir():
        raise FileNotFoundError(
            "the tests are no part of the installed package: run neuromf verify in a checkout of "
            "the source, or give tests=FILE, a JUnit file that pytest wrote there"
        )
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={xml.resolve()}"]
    spread = ["-n", str(workers), "--dist", "worksteal"] if workers > 1 else []
    done = subprocess.run(
        [*command, *spread, *tests], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode not in NO_TEST_FAILED or not xml.is_file():
        lines = (done.stdout + done.stderr).strip().splitlines()[-3:]
        raise RuntimeError(f"pytest ended with {done.returncode}: {' / '.join(lines)}")


def read_outcomes(xml: Path) -> dict[str, Outcome]:
    """Return what a JUnit file says of each test. Raises ValueError for any other file."""
    try:
        root = ET.parse(xml).getroot()
    except (ET.ParseError, UnicodeDecodeError) as error:
        raise ValueError(f"{xml} is no JUnit file, as pytest --junitxml writes: {error}") from None
    cases = list(root.iter("testcase"))
    if not cases:
        raise ValueError(f"{xml} holds no test: write it with pytest --junitxml={xml}")
    return {f"{case.get('classname')}.{case.get('name')}": _outcome(case) for case in cases}


def of_test(outcomes: Outcomes, test: str) -> list[Outcome]:
    """Return the outcomes of a test of the table: of all its parameters, or of a whole file."""
    path, *names = test.split("::")
    dotted = ".".join([path.removesuffix(".py").replace("/", "."), *names])
    return [
        outcome
        for name, outcome in outcomes.items()
        if name == dotted or name.startswith((f"{dotted}.", f"{dotted}["))
    ]


def _outcome(case: ET.Element) -> Outcome:
    bad = [case.find(kind) for kind in ("failure", "error")]
    failed = next((found for found in bad if found is not None), None)
    skipped = case.find("skipped")
    told = failed if failed is not None else skipped
    return Outcome(
        passed=failed is None and skipped is None,
        skipped=skipped is not None,
        seconds=float(case.get("time") or 0),
        measured=tuple(
            p.get("value") or "" for p in case.iter("property") if p.get("name") == MEASURED
        ),
        message="" if told is None else (told.get("message") or "").splitlines()[0],
    )
