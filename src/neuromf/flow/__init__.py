"""The mathematics, in plain torch: path, times, objective, sampler.

`docs/theory.md` maps each equation to its function.
"""

from neuromf.flow.network import Network
from neuromf.flow.objective import MeanFlow
from neuromf.flow.sampler import composition_residual, sample
from neuromf.flow.schedule import Ramp
from neuromf.flow.terms import Loss, Terms
from neuromf.flow.times import TimeSampler

__all__ = [
    "Loss",
    "MeanFlow",
    "Network",
    "Ramp",
    "Terms",
    "TimeSampler",
    "composition_residual",
    "sample",
]
