"""Three sentences on constructed scores: what fails first, what is as in real people, what cannot be told."""

from evaluation.support import scores_of
from neuromf.evaluation.score import Score
from neuromf.evaluation.verdict import verdict


def test_a_blurred_set_is_too_smooth_before_all_else():
    found = verdict(scores_of(detail=0.2, recall=0.0, fid=3.0), 100, 40)
    assert found.fails.startswith(
        "Fails first: the samples are too smooth, with 20% of the fine detail"
    )
    assert "the VAE's own reconstructions keep 45%" in found.fails
    assert found.fails.index("smooth") < found.fails.index("recall") < found.fails.index("FID")
    assert "detail" not in found.fine
    assert "sizes of regions" in found.fine


def test_real_volumes_cannot_be_told_from_real():
    found = verdict(scores_of(), 100, 40)
    assert (
        found.fails
        == "Nothing fails: by what was measured here, the samples cannot be told from real people."
    )
    for text in ("detail", "recall", "FID", "variety", "no sign of copies", "sizes of regions"):
        assert text in found.fine
    assert found.unsure == "Numbers and networks are enough for what is said here."
    assert (
        "12 of the files are the reference's own"
        in verdict(scores_of(), 100, 40, identical=12).fails
    )


def test_too_few_volumes_are_named():
    found = verdict(scores_of(m=3), 16, 3)
    assert (
        "16 samples against 3 held-out people: below 5 of either there are no intervals"
        in found.unsure
    )
    assert (
        "small differences (100 samples against 22 held-out people"
        in verdict(scores_of(m=22), 100, 22).unsure
    )
    alone = [Score("net/fid", "FID", 2.0, 16, 3), Score("net/recall", "recall", 0.0, 16, 3)]
    found = verdict(alone, 16, 3)
    assert (
        found.fails
        == "Nothing is shown to fail, but too little could be evaluated to call the samples real."
    )
    assert "too few volumes for a real-vs-real reference" in found.unsure
    assert found.fine == "Nothing that was measured is shown to be as in real people."


def test_untrained_networks_and_what_was_not_looked_at():
    found = verdict(scores_of()[:-1], 100, 40, untrained=["random-2.5d", "random-3d"])
    assert "published ones (random-2.5d and random-3d are untrained)" in found.unsure
    assert "whether training data were copied (train= is not given)" in found.unsure
