"""What a report is of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReportConfig:
    """Which trainings: one has a page, several have one each and a page that compares them."""

    runs: tuple[str, ...] = ()  # folders that train or train-stages wrote
    # folders of `neuromf evaluate` on samples of these runs: one for each run, in the same order
    evaluations: tuple[str, ...] = ()
    # last samples that are decoded for the viewer, one for each of several runs; 0 is none
    volumes: int = 8

    def __post_init__(self) -> None:
        if self.volumes < 0:
            raise ValueError(f"volumes is {self.volumes}: 0 or more")
        if self.evaluations and len(self.evaluations) != len(self.runs):
            raise ValueError(
                f"evaluations names {len(self.evaluations)} folders, runs {len(self.runs)}: one "
                "evaluation for each run, in the same order"
            )
