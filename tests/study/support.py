"""Small studies."""

from neuromf.study.config import SweepConfig

ARM = "arms.r4-x"
QUICK = ["toy", "preset=quick", "only=[r4-x]", f"{ARM}.steps=2", f"{ARM}.samples=64"]


def toy_study(epochs=(1, 2), seeds=(0,), **more):
    """Return a study of trainings on the torus that take a second each."""
    return SweepConfig({"toy": QUICK}, {f"toy.{ARM}.epochs": list(epochs)}, seeds, **more)
