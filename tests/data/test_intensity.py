from dataclasses import replace

import numpy as np
import pytest

from neuromf.data.intensity import WHITE, tissue_levels
from neuromf.data.prepare import PrepareConfig, report
from neuromf.data.preprocess import Preprocessing, preprocess
from neuromf.data.skullstrip import StripConfig
from neuromf.data.splits import SplitConfig
from neuromf.data.template import mni152, mni152_mask
from neuromf.data.volume import Volume, VolumeError
from neuromf.phantoms.config import Appearance
from neuromf.phantoms.draw import bias_field
from support import head, placed

STEPS = Preprocessing(spacing=2.0, shape=(80, 96, 80), intensity="white-matter")


def brain(fluid=150.0, grey=450.0, white=800.0, noise=20.0, bias=0.0, vessels=0, seed=0):
    """The template's anatomy at 2 mm with known intensities of its tissues."""
    gm, wm = (mni152(t).voxels[::2, ::2, ::2] for t in ("gm", "wm"))
    inside = mni152_mask()[::2, ::2, ::2]
    affine = mni152().affine @ np.diag([2, 2, 2, 1])
    rng = np.random.default_rng(seed)
    image = fluid * np.clip(1 - gm - wm, 0, 1) + grey * gm + white * wm
    image = image + noise * rng.standard_normal(image.shape)
    volume = Volume(np.where(inside, np.clip(image, 1, None), 0).astype(np.float32), affine)
    volume = Volume(volume.voxels * bias_field(volume, Appearance(bias=bias), rng), affine)
    bright = np.flatnonzero(inside)[rng.choice(inside.sum(), vessels, replace=False)]
    volume.voxels.ravel()[bright] *= 3
    return volume


@pytest.mark.parametrize(
    "look",
    [
        {},
        {"noise": 60.0},
        {"bias": 0.1},
        {"grey": 620.0, "fluid": 300.0},
        {"grey": 520.0},
        {"vessels": 3000},
        {"white": 8.0, "grey": 4.5, "fluid": 1.5, "noise": 0.3},
    ],
    ids=str,
)
def test_levels_are_those_of_the_tissues(look):
    grey, white = tissue_levels(brain(**look))
    assert white == pytest.approx(look.get("white", 800.0), rel=0.1)
    assert grey == pytest.approx(look.get("grey", 450.0), rel=0.2)


def test_tissues_get_one_brightness_whatever_the_scanner():
    """Brightness, contrast and bright vessels differ; the percentile follows them, the tissues' levels do not."""
    looks = [
        {},
        {"vessels": 3000},
        {"grey": 600.0},
        {"white": 80.0, "grey": 40.0, "fluid": 10.0, "noise": 2.0},
    ]
    found = {}
    for look in looks:
        source = brain(**look)
        for intensity in ("percentile", "white-matter", "grey-white"):
            prepared, record = preprocess(source, replace(STEPS, intensity=intensity))
            assert record["intensity"]["scaled_to"] == intensity
            assert 0 < record["intensity"]["median"] < 1
            found.setdefault(intensity, []).append(
                [
                    level_in(prepared, source, mni152(t).voxels[::2, ::2, ::2] > 0.95)
                    for t in ("gm", "wm")
                ]
            )
    spread = {intensity: np.ptp(levels, axis=0) for intensity, levels in found.items()}
    assert spread["percentile"].min() > 0.1
    assert spread["white-matter"][1] < 0.05
    assert np.abs(np.array(found["white-matter"])[:, 1] - WHITE).max() < 0.08
    assert spread["grey-white"][0] < 0.6 * spread["percentile"][0]
    assert spread["grey-white"][1] < 0.05


def level_in(prepared, source, where):
    from neuromf.data.preprocess import put_back

    back = put_back(prepared, source.voxels.shape, source.affine).voxels
    return float(np.median(back[where]))


def test_another_contrast_is_said():
    flair = brain(white=350.0, grey=700.0)
    with pytest.raises(
        VolumeError,
        match=r"brightest tissue is not the deepest.*preprocessing.intensity=percentile",
    ):
        tissue_levels(flair)
    with pytest.raises(VolumeError, match="too little of a brain"):
        tissue_levels(Volume(np.ones((6, 6, 6), np.float32), placed()))


def test_data_sets_that_differ_are_told(tmp_path, capsys):
    records = [
        {
            "dataset": name,
            "name": f"{name}{i}",
            "strip": {"method": "none"},
            "notes": [],
            "source_sha256": [f"{name}{i}"],
            "intensity": {"median": median, "scaled_to": "percentile"},
        }
        for name, median in (("A", 0.53), ("B", 0.76))
        for i in range(3)
    ]
    report(tmp_path, records, [], [], {"s": "train"}, SplitConfig())
    said = capsys.readouterr().out
    assert (
        "differ in their median intensity in the brain: A 0.53, B 0.76; preprocessing.intensity=grey-white"
        in said
    )
    report(tmp_path, records[:3], [], [], {"s": "train"}, SplitConfig())
    assert "median intensity" not in capsys.readouterr().out


def test_it_is_for_stripped_t1w_alone():
    with pytest.raises(VolumeError, match="needs a stripped brain"):
        preprocess(head(), replace(STEPS, strip=StripConfig(method="none")))
    with pytest.raises(
        ValueError, match="contrast is FLAIR.*white matter is brightest in T1w alone"
    ):
        PrepareConfig(contrast="FLAIR", preprocessing=STEPS)
    PrepareConfig(contrast="T1w", preprocessing=STEPS)
