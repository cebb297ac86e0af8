"""Which runs the figures and tables of the paper are made from."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Studies:
    """Tables of studies: an arms.csv of `neuromf tabulate`, or the folder that holds it."""

    torus: str = ""  # studies/torus.yaml: parametrisation and exponent
    torus_training: str = ""  # studies/torus-training.yaml: one change at a time
    blobs: str = ""  # studies/blobs.yaml
    brains: str = ""  # studies/brains.yaml


@dataclass(frozen=True)
class PaperSources:
    """The runs. In a file of sources, paths are relative to that file."""

    toy: str = ""  # a folder of `neuromf toy`
    compare: tuple[str, ...] = ()  # folders of `neuromf compare`, one for each training seed
    evaluation: str = ""  # a folder of `neuromf evaluate`; the first of compare, if empty
    studies: Studies = field(default_factory=Studies)
    samples: str = ""  # a folder of `neuromf generate`
    volumes: str = ""  # a folder of `neuromf prepare`
    people: tuple[str, ...] = ()  # names of volumes to show; the first held-out ones, if empty
    pairs: str = ""  # a folder of `neuromf generate`, of pairs of image and lesion mask
    pairs_evaluation: str = ""  # a folder of `neuromf evaluate` or `compare` on such pairs
    usefulness: str = ""  # a folder of `neuromf usefulness`
    benchmarks: str = ""  # a folder of generation-*.json, which benchmarks/generate.py writes


@dataclass(frozen=True)
class PaperConfig(PaperSources):
    """A file of sources, and keys that win over it."""

    sources: str = ""  # a YAML file of these keys; paths in it are relative to the file
