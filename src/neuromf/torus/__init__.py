"""The toy proof: the same objective, sampler and weight average as the real run, on a torus."""

from neuromf.torus.arm import Arm
from neuromf.torus.study import ToyConfig, run

__all__ = ["Arm", "ToyConfig", "run"]
