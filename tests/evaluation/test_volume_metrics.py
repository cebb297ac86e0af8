"""Volumes against volumes: nearest of another person, detail, latents, regions."""

import numpy as np
import pytest
import torch

from evaluation.support import material
from features.support import blob
from neuromf.data.volume import Volume
from neuromf.evaluation import volume_metrics as anatomy
from neuromf.evaluation.measured import Bench, Material, Protocol
from neuromf.evaluation.pairs import compare_pairs
from neuromf.evaluation.sets import Item, VolumeSet
from neuromf.metrics.intervals import counts
from neuromf.metrics.regions import dice
from neuromf.segmentation.tissue import segment
from support import placed, save_nifti


@pytest.fixture
def bench(world, kept, tmp_path):
    config = Protocol(
        reference=str(world / "real"),
        extractors=("random-3d",),
        morphology="none",
        cache=str(kept),
        workers=1,
        pairs=9,
    )
    return Bench(config, tmp_path)


def test_the_nearest_is_of_another_person(world, kept):
    a = material(world / "others", kept)
    found = anatomy.neighbours(a, a)
    assert (found.index != torch.arange(len(a))).all()
    assert (found.distance > 0).all()
    twins = VolumeSet(
        "t", tuple(Item(i.path, i.name, str(n // 2)) for n, i in enumerate(a.volumes.items))
    )
    other = anatomy.neighbours(Material(twins, a.features), Material(twins, a.features))
    assert all(int(j) // 2 != n // 2 for n, j in enumerate(other.index))


def likeness(a, r, config, number):
    chosen = anatomy.choose_pairs(a, r, config, number)
    return anatomy.likeness(a, r, chosen, compare_pairs(chosen.pairs, a.features.job, 1))


def test_likeness_of_equal_and_of_unlike_sets(world, kept, bench):
    r, same, bright = (material(world / n, kept) for n in ("others", "same", "bright"))
    near, far = likeness(same, r, bench.config, 1), likeness(bright, r, bench.config, 2)
    assert near["psnr"].mean() > far["psnr"].mean() + 3
    assert len(near["ms_ssim"]) == len(near["psnr"]) == 9
    own = likeness(r, r, bench.config, 0)
    scores = {s.key: s for s in anatomy.likeness_scores(near, own, {}, (12, 14, 0), 200)}
    assert scores["voxels/psnr"].value == pytest.approx(float(near["psnr"].mean()))
    assert scores["voxels/psnr"].beside["real"].mean == pytest.approx(float(own["psnr"].mean()))
    assert scores["voxels/ms_ssim"].beside["real"].n == 14
    assert scores["voxels/ms_ssim"].note == "9 pairs"
    assert "cannot show sharpness" in scores["voxels/psnr"].note


def test_pairs_that_share_volumes_are_no_independent_draws():
    """Values of pairs that add up over volumes: the interval covers the truth, which Student's t over pairs does not."""
    chance = torch.Generator().manual_seed(0)
    ends = torch.combinations(torch.arange(20))
    hits = 0
    for _ in range(150):
        x = torch.randn(20, generator=chance, dtype=torch.float64)
        low, high = anatomy.of_pairs(x[ends[:, 0]] + x[ends[:, 1]], ends, 20, 200)
        hits += low < 0 < high
    assert hits / 150 > 0.85


def test_tissues_are_segmented_once_a_file(kept, tmp_path, monkeypatch):
    """The Dice of a pair is taken from labels that were kept with the sizes: nothing is segmented for it again."""
    made = []
    monkeypatch.setattr(
        "neuromf.features.plain.segment", lambda volume: made.append(segment(volume)) or made[-1]
    )
    shape = (40, 48, 40)
    for seed in (1, 2):
        save_nifti(
            tmp_path / f"v{seed}_T1w.nii.gz",
            Volume(blob(seed, shape).voxels, placed(spacing=(4.0, 4.0, 4.0))),
        )
    dot = np.zeros(shape, np.float32)
    dot[10:13, 10:13, 10:13] = 0.5
    save_nifti(tmp_path / "w_T1w.nii.gz", Volume(dot, placed(spacing=(4.0, 4.0, 4.0))))
    found = material(tmp_path, kept, ("voxels", "tissue"))
    one, other = (segmentation.labels for segmentation in made)
    overlap = anatomy.overlap(found, found, 0, 1)
    assert overlap == {
        f"dice.{n}": dice(one == i, other == i) for i, n in enumerate(("CSF", "GM", "WM"), start=1)
    }
    assert 0 < overlap["dice.GM"] < 1
    assert anatomy.overlap(found, found, 0, 2) == {}  # there is no brain
    assert len(made) == 2


def test_partners_are_found_by_name(world, kept, bench):
    same, bright = material(world / "same", kept), material(world / "bright", kept)
    pairs = anatomy.partners_of(bright, same, bench.config)
    assert [pair.a.name for pair in pairs] == [pair.b.name for pair in pairs]
    assert len(pairs) == 9
    found = anatomy.by_metric(list(compare_pairs(pairs, same.features.job, 1).values()))
    assert 12 < float(found["psnr"].mean()) < 30
    assert anatomy.partners_of(material(world / "others", kept), same, bench.config) == []
    distances = anatomy.partner_distances(bright, same, ["random-3d"])
    assert distances[0].value > 0
    assert anatomy.partner_distances(same, same, ["random-3d"])[0].value == 0


def test_detail_and_regions(world, kept):
    same, r = material(world / "same", kept), material(world / "others", kept)
    chance = torch.Generator().manual_seed(0)
    for s, shift in ((same, 30.0), (r, 0.0)):
        s.sizes = {
            "GM": 600 + shift + 40 * torch.randn(len(s), generator=chance, dtype=torch.float64)
        }
    found = anatomy.plain(same, r, "")
    high = [s.features.stacked("spectrum", "high").double().mean() for s in (same, r)]
    assert found["spectrum/high"] == pytest.approx(float(high[0] / high[1]))
    assert anatomy.plain(r, r, "")["spectrum/high"] == 1
    assert found["regions/GM/wasserstein"] == pytest.approx(30, abs=20)
    assert anatomy.plain(r, r, "")["regions/GM/wasserstein"] == 0
    same.sizes["GM"][3] = torch.nan  # not segmented: left out of its own figures
    assert (
        abs(anatomy.plain(same, r, "")["regions/GM/wasserstein"] - found["regions/GM/wasserstein"])
        < 20
    )
    share = anatomy.segmented_score(same, r, "by hand")[0]
    assert share.value == pytest.approx(11 / 12)
    assert share.beside["real"].mean == 1
    weights = (counts(len(same), 50, chance), counts(len(r), 50, chance))
    scores = {s.key: s for s in anatomy.plain_scores(same, r, "", weights, "by hand")}
    assert scores["regions/GM/wasserstein"].note == "by hand"
    assert "equal numbers" in scores["regions/GM/kl"].note
    low, high_end = scores["regions/GM/wasserstein"].interval
    assert low < scores["regions/GM/wasserstein"].value < high_end
    assert scores["regions/GM/r"].better == "higher"


def test_latents(world, kept, vae_folder):
    vae = str(vae_folder)
    measures = ("voxels", "spectrum", f"latents:{vae}")
    r, same, bright = (material(world / n, kept, measures) for n in ("others", "same", "bright"))
    near, far = anatomy.plain(same, r, vae), anatomy.plain(bright, r, vae)
    assert anatomy.plain(r, r, vae)["latents/swd"] == 0
    assert anatomy.plain(r, r, vae)["latents/spread"] == 1
    assert near["latents/swd"] < far["latents/swd"]
    assert near["latents/shift"] < far["latents/shift"]
    mean, std = anatomy.channel_moments(r, f"latents:{vae}")
    assert mean.shape == std.shape == (4,)


def test_every_figure_has_a_meaning():
    for key in (
        "spectrum/high",
        "latents/swd",
        "latents/shift",
        "latents/spread",
        "regions/GM/kl",
        "regions/GM/r",
    ):
        text, better = anatomy.meaning(key)
        assert text
        assert better in {"lower", "higher", "real"}
