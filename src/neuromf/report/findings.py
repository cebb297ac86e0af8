"""What a reader should know of a training before anything else: how it ended, numbers that are not
finite, an evaluation that got worse, time lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import numpy as np

from neuromf import __version__
from neuromf.report.trained import Trained
from neuromf.training.preflight import warnings

Weight = Literal["wrong", "doubtful", "note"]
RISEN = 1.5  # times its minimum, above which the smoothed raw loss has risen
CLIPPED = 0.5  # share of updates, in the second half of the run
WAITED = 0.2  # share of the time that goes into waiting for data
WORSE = 1.02  # of the monitored value, last over best
BANDS = (0.5, 2.0)  # power of samples over that of real latents, outside which a band is off
SHOWN = 6  # lines of run.log
ENDED = {
    "finished": "",
    "interrupted": "was stopped, and has saved: --resume continues it",
    "failed": "failed: run.log says why",
    "killed": "was killed: run.json says that it runs, and no process holds its folder",
    "running": "is still running",
}


class Finding(NamedTuple):
    """One thing to know, and how much it weighs."""

    weight: Weight
    text: str


def findings(run: Trained) -> list[Finding]:
    """Return what there is to know of a run, the gravest first."""
    found = [f for look in LOOKS for f in look(run)]
    order = ("wrong", "doubtful", "note")
    return sorted(found, key=lambda f: order.index(f.weight))


def ending(run: Trained) -> Iterator[Finding]:
    """Yield how a run ended, unless it was completed."""
    said = ENDED.get(run.state, f"has the state {run.state!r} in run.json, which is none known")
    wanted = run.settings.config.updates if run.settings.config else 0
    done = f"after update {run.updates}" + (f" of {wanted}" if wanted else "")
    if said:
        grave: Weight = "wrong" if run.state in ("failed", "killed") else "doubtful"
        yield Finding(grave, f"The run {said} ({done}).")
    elif wanted and run.updates < wanted and not _patience(run):
        yield Finding("doubtful", f"The run says that it finished, and its files end {done}.")
    elif wanted and run.updates < wanted:
        yield Finding("note", f"The run ended early, {done}: nothing improved for so long.")


def not_finite(run: Trained) -> Iterator[Finding]:
    """Yield what was NaN or infinite: rows of the log, samples, gradients; and rows without an
    update.
    """
    log = run.log
    for columns, file in ((log, "log.csv"), (run.evaluation, "evaluation.csv")):
        if columns.strange:
            yield Finding("wrong", f"{columns.strange} rows of {file} name no update: left out.")
    if len(log):
        raw = log.values.get("raw", np.empty(0))
        bad = log.update[: len(raw)][~np.isfinite(raw)]
        if len(bad):
            text = f"The raw loss is NaN in {len(bad)} of {len(raw)} rows of log.csv"
            yield Finding("wrong", f"{text}, from update {bad[0]:.0f} to {bad[-1]:.0f}.")

    for column, what in (
        ("nonfinite_samples", "samples gave NaN or Inf and were left out of the loss"),
        ("skipped", "updates were skipped, their gradient being NaN or Inf"),
    ):
        times, values = log.points(column)
        if values.sum() > 0:
            first = times[values > 0][0]
            yield Finding("wrong", f"{values.sum():.0f} {what}, first by update {first:.0f}.")

    for name, numbers in run.evaluation.values.items():
        gone = len(numbers) - int(np.isfinite(numbers).sum())
        if name in ("raw", "swd", "v_linear") and gone:
            text = f"{name} is NaN in {gone} of {len(numbers)} rows of evaluation.csv."
            yield Finding("wrong", text)


def loss(run: Trained) -> Iterator[Finding]:
    """Yield whether the raw loss has risen, and whether most gradients were clipped."""
    times, raw = run.log.points("raw")
    if len(raw) >= 8:
        smooth = smoothed(raw)
        lowest = int(smooth.argmin())
        if smooth[-1] > RISEN * smooth[lowest]:
            text = (
                f"{smooth[-1] / smooth[lowest]:.2g} times its minimum (update {times[lowest]:.0f})"
            )
            yield Finding("wrong", f"The raw loss, smoothed, ended at {text}.")

    clipped = run.log.points("clipped")[1]
    share = clipped[len(clipped) // 2 :].mean() if len(clipped) else 0.0
    if share > CLIPPED:
        text = (
            f"{share:.0%} of the updates in the second half of the run had their gradient clipped"
        )
        yield Finding("doubtful", f"{text}: the learning rate acts as a smaller one.")


def evaluation(run: Trained) -> Iterator[Finding]:
    """Yield whether the averaged weights got worse, are behind a linear filter, or draw samples of
    another power than real latents.
    """
    if run.evaluation.missing:
        yield Finding("doubtful", f"No evaluation: {run.evaluation.missing}.")
        return
    for name in ("v_linear", "error", "fid"):
        times, values = run.evaluation.points(name)
        if len(values) > 1 and values[-1] > WORSE * values.min():
            best = f"{values.min():.4g} at update {times[values.argmin()]:.0f}"
            text = f"{name} rose from {best} to {values[-1]:.4g}: checkpoint=best has the weights"
            yield Finding("doubtful", f"{text} of the minimum.")

    ratio = run.evaluation.last("v_linear")
    if ratio > 1:
        text = f"the v-loss on held-out latents is {ratio:.3g} times that of a linear filter"
        yield Finding("wrong", f"The network is worse than a linear filter: {text}.")
    bands = {k: run.evaluation.last(f"power_{k}") for k in run.evaluation.named("power_")}
    off = {k: p for k, p in bands.items() if not BANDS[0] <= p <= BANDS[1]}
    if off:
        told = ", ".join(f"{p:.2g} in band {k}" for k, p in off.items())
        text = "Power of one-call samples over that of real latents"
        yield Finding("doubtful", f"{text}: {told} (band 1 is coarsest, {len(bands)} finest).")


def speed(run: Trained) -> Iterator[Finding]:
    """Yield whether much of the time went into waiting for data."""
    share = run.log.points("loader_share")[1]
    if len(share) and share.mean() > WAITED:
        text = f"{share.mean():.0%} of the training time was spent waiting for latents"
        yield Finding("doubtful", f"{text}: a larger num_workers helps.")


def settings(run: Trained) -> Iterator[Finding]:
    """Yield what the preflight checks say of the settings, and a configuration that cannot be
    read.
    """
    config = run.settings.config
    if config is None:
        text = f"The configuration is not read: {run.settings.problem}"
        yield Finding("doubtful", f"{text}. What follows from it is left out.")
        return
    for said in warnings(config, run.shape or (config.network.latent_channels, 1, 1, 1)):
        yield Finding("doubtful", f"Settings: {said}.")


def history(run: Trained) -> Iterator[Finding]:
    """Yield several starts, other versions, changed source, and what run.log warned of."""
    starts = [*run.record.get("earlier", []), run.record]
    versions = {str(s.get("versions", {}).get("neuromf", "unknown")) for s in starts}
    if len(starts) > 1:
        commits = {str(s.get("git", {}).get("commit", ""))[:12] for s in starts}
        other = f", of {len(commits)} git commits" if len(commits) > 1 else ""
        yield Finding("note", f"The run has {len(starts)} starts{other}.")
    if versions != {__version__}:
        told = ", ".join(sorted(versions))
        yield Finding("note", f"Written by NeuroMF {told}; this report by {__version__}.")
    if any(s.get("git", {}).get("changed") for s in starts):
        yield Finding("note", "The source held changes that no git commit has.")
    known = {f.text.removeprefix("Settings: ").rstrip(".") for f in settings(run)}
    for line in [line for line in run.warned if line not in known][:SHOWN]:
        yield Finding("note", f"run.log: {line}")


LOOKS: tuple[Callable[[Trained], Iterator[Finding]], ...] = (
    *(ending, not_finite, loss, evaluation),
    *(speed, settings, history),
)


def smoothed(values: np.ndarray, share: float = 0.05) -> np.ndarray:
    """Return the running mean (N,) over the given share of N finite values, at least three."""
    width = max(3, math.ceil(share * len(values)))
    width = min(width + 1 - width % 2, len(values))  # odd, so that it has a middle
    weights = np.ones(width)
    total = np.convolve(values, weights, "same")
    return total / np.convolve(np.ones(len(values)), weights, "same")


def _patience(run: Trained) -> bool:
    config = run.settings.config
    return config is not None and config.evaluation.patience > 0
