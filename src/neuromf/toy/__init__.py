"""The toy proof: the same objective, sampler and weight average as the real run, on a torus."""

from neuromf.toy.study import Arm, ToyConfig, run

__all__ = ["Arm", "ToyConfig", "run"]
