"""What is verified, and with which data."""

from __future__ import annotations

from dataclasses import dataclass

from neuromf.runtime.fields import key


@dataclass(frozen=True)
class VerifyConfig:
    """Which phases, and what their rows are measured on."""

    phases: tuple[str, ...] = ()  # P0, P1, ...; all, if empty
    quick: bool = False  # leave out runs that take minutes, and tests that no gate depends on
    tests: str = key("", free=True)  # a JUnit file that pytest wrote; tests are run, if empty
    volumes: str = ""  # real volumes that prepare wrote
    model: str = "embedded"
    workers: int = key(0, free=True)  # processes of pytest; 0 is one a core

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ValueError(f"workers is {self.workers}: 0 or more")
