"""Three sentences on constructed scores: what fails first, what is as in real people, what cannot be told."""

from neuromf.evaluation.score import Beside, Score, enough
from neuromf.evaluation.verdict import verdict
from neuromf.metrics.intervals import Interval


def score(
    key, value, real, reconstruction=None, *, std=0.05, n=100, m=40, reach=0.05, expected=None
):
    """A value at equal numbers as `value`, of real people as `real`, of reconstructions as `reconstruction`."""
    beside = {
        "samples": Beside(value, std * abs(value), 20, 20),
        "real": Beside(real, std * abs(real), 20, 20),
    }
    beside |= (
        {"reconstruction": Beside(reconstruction, std * abs(reconstruction), 20, 20)}
        if reconstruction is not None
        else {}
    )
    beside = beside if expected is None else {"real": Beside(expected, 0.0, n, m)}
    interval = Interval(value - reach, value + reach) if enough(n, m) else None
    return Score(key, key, value, n, m, interval=interval, beside=beside)


def scores(detail=1.0, recall=0.95, fid=1.0, alike=0.74, flagged=0.05, ml=10.0, **sizes):
    """The scores of a set; those of real people if nothing is said."""
    return [
        score("net/fid", fid, 1.0, 1.4, **sizes),
        score("net/recall", recall, 0.95, 0.9, **sizes),
        score("voxels/ms_ssim", alike, 0.74, 0.75, **({"reach": 0.005} | sizes)),
        score("spectrum/high", detail, 1.0, 0.45, **sizes),
        score("regions/brain/wasserstein", ml, 10.0, 11.0, **sizes),
        score("copies/voxels/flagged", flagged, 0.0, expected=0.06, **sizes),
    ]


def test_a_blurred_set_is_too_smooth_before_all_else():
    found = verdict(scores(detail=0.2, recall=0.0, fid=3.0), 100, 40)
    assert found.fails.startswith(
        "Fails first: the samples are too smooth, with 20% of the fine detail"
    )
    assert "the VAE's own reconstructions keep 45%" in found.fails
    assert found.fails.index("smooth") < found.fails.index("recall") < found.fails.index("FID")
    assert "detail" not in found.fine
    assert "sizes of regions" in found.fine


def test_likeness_has_no_say():
    """SSIM, PSNR and Dice of a blurred set are higher: no sentence mentions them."""
    blurred = [
        *scores(detail=0.2),
        score("voxels/ssim", 0.9, 0.76),
        score("voxels/dice.WM", 0.9, 0.7),
    ]
    assert verdict(blurred, 100, 40) == verdict(scores(detail=0.2), 100, 40)


def test_real_volumes_cannot_be_told_from_real():
    found = verdict(scores(), 100, 40)
    assert (
        found.fails
        == "Nothing fails: by what was measured here, the samples cannot be told from real people."
    )
    for text in ("detail", "recall", "FID", "variety", "no sign of copies", "sizes of regions"):
        assert text in found.fine
    assert found.unsure == "Numbers and networks are enough for what is said here."
    assert (
        "12 of the files are the reference's own" in verdict(scores(), 100, 40, identical=12).fails
    )


def test_too_few_volumes_are_named():
    found = verdict(scores(m=3), 16, 3)
    assert (
        "16 samples against 3 held-out people: below 5 of either there are no intervals"
        in found.unsure
    )
    assert (
        "small differences (100 samples against 22 held-out people"
        in verdict(scores(m=22), 100, 22).unsure
    )
    alone = [Score("net/fid", "FID", 2.0, 16, 3), Score("net/recall", "recall", 0.0, 16, 3)]
    found = verdict(alone, 16, 3)
    assert (
        found.fails
        == "Nothing is shown to fail, but too little could be evaluated to call the samples real."
    )
    assert "too few volumes for a real-vs-real reference" in found.unsure
    assert found.fine == "Nothing that was measured is shown to be as in real people."


def test_blur_is_seen_with_three_people_too():
    """Real people never differ by half in detail, so that needs no interval; a little less does."""
    assert "too smooth" in verdict(scores(detail=0.3, m=3), 16, 3).fails
    found = verdict(scores(detail=0.7, m=3), 16, 3)
    assert "smooth" not in found.fails
    assert "whether detail is right (70% of" in found.unsure


def test_what_else_fails():
    assert "too noisy, with 180%" in verdict(scores(detail=1.8), 100, 40).fails
    assert "more alike than people are" in verdict(scores(alike=0.9), 100, 40).fails
    assert "less alike than people are" in verdict(scores(alike=0.6), 100, 40).fails
    assert "sizes of regions (brain 40 ml off, real 10)" in verdict(scores(ml=40.0), 100, 40).fails
    lost = Score(
        "regions/found",
        "",
        0.5,
        100,
        40,
        interval=Interval(0.4, 0.6),
        beside={"real": Beside(1.0, 0.0, 40, 40)},
    )
    assert "no brain was found in 50% of the samples" in verdict([*scores(), lost], 100, 40).fails


def test_copies_are_a_failure_unless_smoothness_explains_them():
    assert (
        "may be copies (90% lie near training volumes in voxels"
        in verdict(scores(flagged=0.9), 100, 40).fails
    )
    found = verdict(scores(flagged=0.9, detail=0.2), 100, 40)
    assert "copies" not in found.fails
    assert "smoothness alone does that" in found.unsure


def test_untrained_networks_and_what_was_not_looked_at():
    found = verdict(scores()[:-1], 100, 40, untrained=["random-2.5d", "random-3d"])
    assert "published ones (random-2.5d and random-3d are untrained)" in found.unsure
    assert "whether training data were copied (train= is not given)" in found.unsure
