"""What changes over a training: the learning rate and the share of samples with r = t."""

from __future__ import annotations

import numpy as np

from neuromf.reporting import plots
from neuromf.runtime.config import load, presets
from neuromf.training.config import TrainConfig
from neuromf.verification.section import Section

POINTS = 201  # of a curve


def schedules() -> Section:
    """Draw the schedules of every preset of `neuromf train`."""
    configs = {name: load(TrainConfig, [f"preset={name}"], "train") for name in presets("train")}
    progress = np.linspace(0, 1, POINTS)
    with plots.subplots(1, 2, size=(8, 3)) as (figure, (rates, shares)):
        for colour, (name, config) in zip(
            plots.colours(len(configs)), configs.items(), strict=True
        ):
            rate = [
                config.optimiser.lr
                * config.optimiser.factor(round(p * config.updates), config.updates)
                for p in progress
            ]
            ramp = config.equal_fraction
            share = [ramp.at(p) if ramp else config.times.equal_fraction for p in progress]
            rates.plot(progress, rate, color=colour, label=name)
            shares.plot(progress, share, color=colour)
        rates.set_ylabel("learning rate")
        shares.set_ylabel("share of samples with r = t")
        for axes in (rates, shares):
            axes.set_xlabel("share of the updates")
        rates.legend()

    first = configs["small2mm"].optimiser
    return Section(
        "schedules",
        "Schedules",
        "The learning rate, warm-up and decay, and the share of samples with r = t over a training "
        "with each preset.",
        {"rate_before_warmup": first.factor(0, 5000), "rate_at_the_end": first.factor(5000, 5000)},
        figure,
    )
