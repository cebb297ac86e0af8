"""What fails, what is as in real people, what is open, on constructed scores."""

from evaluation.support import made_score, scores_of
from neuromf.evaluation.findings import beyond, listed
from neuromf.evaluation.score import Beside, Score
from neuromf.evaluation.verdict import verdict
from neuromf.metrics.intervals import Interval


def test_what_else_fails():
    assert "too noisy, with 180%" in verdict(scores_of(detail=1.8), 100, 40).fails
    assert "more alike than people are" in verdict(scores_of(alike=0.9), 100, 40).fails
    assert "less alike than people are" in verdict(scores_of(alike=0.6), 100, 40).fails
    assert (
        "sizes of regions (brain 40 ml off, real 10)" in verdict(scores_of(ml=40.0), 100, 40).fails
    )
    lost = Score(
        "regions/found",
        "",
        0.5,
        100,
        40,
        interval=Interval(0.4, 0.6),
        beside={"real": Beside(1.0, 0.0, 40, 40)},
    )
    assert (
        "no brain was found in 50% of the samples" in verdict([*scores_of(), lost], 100, 40).fails
    )


def test_copies_are_a_failure_unless_smoothness_explains_them():
    assert (
        "may be copies (90% lie near training volumes in voxels"
        in verdict(scores_of(flagged=0.9), 100, 40).fails
    )
    found = verdict(scores_of(flagged=0.9, detail=0.2), 100, 40)
    assert "copies" not in found.fails
    assert "smoothness alone does that" in found.unsure


def test_a_recall_between_is_not_for_want_of_volumes():
    found = verdict(scores_of(recall=0.6), 100, 40)
    assert "whether recall is that of real people (0.60 in net, real people 0.95)" in found.unsure
    assert "too few volumes" not in found.unsure
    assert "recall" not in found.fails + found.fine


def test_an_extractor_of_a_file_is_named_whole():
    scores = [*scores_of(), made_score("copies/2.5d:/data/net.pt/flagged", 0.0, 0, expected=0.06)]
    assert "no sign of copies in 2.5d:/data/net.pt (0% lie" in verdict(scores, 100, 40).fine


def lesion_scores(ml=1.0, empty=0.0, copies=0.0):
    return [
        *scores_of(),
        made_score("lesions/empty", empty, 0.0),
        made_score("lesions/ml/wasserstein", ml, 1.0),
        made_score("lesions/training/copies", copies, 0.0),
    ]


def test_lesions():
    found = verdict(lesion_scores(), 100, 40)
    assert "lesions (volume in ml 1 off, real 1)" in found.fine
    assert "no lesion mask is a copy" in found.fine
    assert "lesion" not in found.fails
    assert "lesions (volume in ml 3 off, real 1)" in verdict(lesion_scores(ml=3.0), 100, 40).fails
    assert "30% of the pairs have no lesion, 0% of real ones" in (
        verdict(lesion_scores(empty=0.3), 100, 40).fails
    )
    assert "10% of the lesion masks are copies" in verdict(lesion_scores(copies=0.1), 100, 40).fails
    assert "lesion" not in str(verdict(scores_of(), 100, 40))


def test_likeness_has_no_say():
    """SSIM, PSNR and Dice of a blurred set are higher: no sentence mentions them."""
    blurred = [
        *scores_of(detail=0.2),
        made_score("voxels/ssim", 0.9, 0.76),
        made_score("voxels/dice.WM", 0.9, 0.7),
    ]
    assert verdict(blurred, 100, 40) == verdict(scores_of(detail=0.2), 100, 40)


def test_blur_is_seen_with_three_people_too():
    """Real people never differ by half in detail, so that needs no interval; a little less does."""
    assert "too smooth" in verdict(scores_of(detail=0.3, m=3), 16, 3).fails
    found = verdict(scores_of(detail=0.7, m=3), 16, 3)
    assert "smooth" not in found.fails
    assert "whether detail is right (70% of" in found.unsure


def test_a_distance_is_beyond_what_draws_explain():
    assert beyond(Beside(2.0, 0.1, 9, 9), Beside(1.0, 0.1, 9, 9))
    assert not beyond(Beside(1.2, 0.1, 9, 9), Beside(1.0, 0.1, 9, 9))


def test_lists_in_a_sentence():
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
