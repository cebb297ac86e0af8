"""All comparisons of a run: in order, with their references."""

import pytest

from evaluation.support import boxes, lesion_set, measured
from neuromf.evaluation.comparisons import all_comparisons, of_lesions
from neuromf.evaluation.config import EvaluationConfig
from neuromf.evaluation.feature_comparison import FeatureComparison
from neuromf.evaluation.likeness import LikenessComparison
from neuromf.evaluation.measured import MeasuredSets
from neuromf.evaluation.measurer import Measurer
from neuromf.evaluation.memorisation import TrainingComparison


@pytest.fixture
def measurer(world, kept, tmp_path):
    config = EvaluationConfig(
        reference=str(world / "real"),
        extractors=("random-3d",),
        morphology="none",
        vae="none",
        bootstrap=5,
        draws=2,
        pairs=3,
        seed=4,
        cache=str(kept),
        workers=1,
    )
    return Measurer(config, tmp_path)


def test_every_set_is_compared_in_every_space(world, kept, measurer):
    same, bright, others, real = (
        measured(world / name, kept) for name in ("same", "bright", "others", "real")
    )
    ceiling = others.only([2, 0, 1])
    sets = MeasuredSets([same, bright], others, train=real, reconstruction=ceiling)
    found = list(all_comparisons(sets, measurer))
    assert {c.seed for _, c in found if isinstance(c, LikenessComparison | TrainingComparison)} == {
        4
    }
    prefixes = {name: [c.prefix for n, c in found if n == name] for name in ("same", "bright")}
    assert prefixes["same"] == prefixes["bright"]
    assert prefixes["same"] == [
        *("random-3d", "voxels", "partner", "spectrum", "copies/voxels", "copies/random-3d")
    ]


def test_lesions_are_compared_of_volumes_with_a_mask(measurer):
    """Of the set that has masks; the numbers of volumes are those of masks."""
    pairs = lesion_set([*boxes(6, 0), None], "pairs")
    plain = lesion_set([None] * 7, "plain")
    people, train = lesion_set([*boxes(8, 1), None], "people"), lesion_set(boxes(5, 2), "train")
    sets = MeasuredSets([plain, pairs], people, train=train)
    found = list(of_lesions(sets, measurer))
    assert {name for name, _ in found} == {"pairs"}
    assert {(c.n, c.reference) for _, c in found} == {(6, 8), (6, 5)}
    assert found[0][1].references["lesions/dice"]["real"].n == 4
    assert found[-1][1].prefix == "lesions/training"
    assert list(of_lesions(MeasuredSets([plain], people), measurer)) == []


def test_references_are_at_equal_numbers(world, kept, measurer):
    same, others = (measured(world / name, kept) for name in ("same", "others"))
    sets = MeasuredSets([same], others, reconstruction=others.only([2, 0, 1]))
    found = next(c for _, c in all_comparisons(sets, measurer) if type(c) is FeatureComparison)
    beside = found.references["random-3d/kid"]
    assert {kind: (b.n, b.reference) for kind, b in beside.items()} == dict.fromkeys(
        ("samples", "reconstruction", "real"), (3, 7)
    )
    assert found.bootstrap.a.shape == (5, 12)


def test_too_few_people_are_noted(world, kept, measurer):
    same, others = (measured(world / name, kept) for name in ("same", "others"))
    list(all_comparisons(MeasuredSets([same], others.only([0, 1, 2])), measurer))
    assert "3 held-out people are too few for references at equal numbers" in measurer.notes[-1]
