"""Both verbs, end to end on small volumes: what is written, what is refused, that it repeats and goes on."""

import html
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from features.support import blob, write_set
from neuromf.data.volume import Volume
from neuromf.evaluation.command import CompareConfig, EvaluateConfig, number_of_each, run
from neuromf.features.extract import FrameError
from support import save_nifti, tiny_cohort


@pytest.fixture(scope="module")
def config(world, kept, vae_folder):
    return EvaluateConfig(
        samples=str(world / "same"),
        reference=str(world / "real"),
        train=f"{world / 'real'}:train",
        extractors=("random-3d",),
        vae=str(vae_folder),
        morphology="none",
        bootstrap=20,
        draws=3,
        pairs=6,
        cache=str(kept),
        workers=1,
        device="cpu",
    )


@pytest.fixture(scope="module")
def done(config, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluate") / "out"
    assert run(config, out) == 0
    return out


def scores_of(out):
    record = json.loads((out / "scores.json").read_text())
    return {s["key"]: s for s in next(iter(record["sets"].values()))["scores"]}


def test_every_metric_stands_beside_its_references(done, vae_folder):
    record = json.loads((done / "scores.json").read_text())
    scores = scores_of(done)
    for key in ("fid", "kid", "mmd", "swd", "nearest"):
        score = scores[f"random-3d/{key}"]
        assert score["n"] == 12
        assert score["reference"] == 10
        assert score["interval"][0] <= score["value"] <= score["interval"][1]
        assert set(score["beside"]) == {"samples", "reconstruction", "real"}
        assert score["beside"]["samples"]["n"] == score["beside"]["real"]["n"] == 5
    for key in ("voxels/ms_ssim", "voxels/psnr", "spectrum/high", "latents/swd"):
        assert {"reconstruction", "real"} <= set(scores[key]["beside"]), key
    assert scores["copies/voxels/flagged"]["interval"][1] > 0
    assert scores["spectrum/high"]["value"] > 0
    assert record["extractors"][0]["trained"] is False
    assert any("untrained" in note for note in record["notes"])
    assert (record["reference"]["name"], record["reference"]["n"]) == ("real", 10)


def test_the_page_holds_it_all(done):
    page = (done / "index.html").read_text()
    assert page.count("data:image/png;base64") >= 3
    packed = re.compile(r'<script type="application/gzip".*?</script>', re.DOTALL)
    assert "http" not in packed.sub("", page).replace("http-equiv", "")
    for text in ("KID", "real-vs-real reference", "Nearest training volumes", "random ResNet-10"):
        assert text in page
    assert (done / "scores.csv").read_text().startswith("set,metric,label,value,low,high")
    assert {p.name for p in (done / "figures").iterdir()} >= {"volumes.png", "spectra.png"}


def test_the_verdict_comes_first(done, config, tmp_path, capsys):
    """On the page, at the end of the terminal's lines, in scores.json; similarity comes last and ranks nothing."""
    said = json.loads((done / "scores.json").read_text())["verdict"]["same"]
    assert set(said) == {"fails", "fine", "unsure"}
    page = html.unescape((done / "index.html").read_text())
    places = [
        page.index(text)
        for text in (*said.values(), "<h2>Volumes", "<h2>Detail", "<h2>random ResNet-10")
    ]
    assert places == sorted(places)
    assert page.index("<h2>Copies of training data") < page.index("Likeness cannot show sharpness")
    scores = scores_of(done)
    assert scores["voxels/psnr"]["better"] == "none"
    assert "cannot show sharpness" in scores["voxels/psnr"]["note"]
    run(replace(config, vae="none"), tmp_path / "out")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-5] == "same:"
    assert lines[-2].startswith("  Cannot be told: ")


def test_the_nearest_pairs_have_names(done):
    record = json.loads((done / "scores.json").read_text())
    sample, person = record["copies"]["same"][0]["closest"][0]["names"]
    assert (
        f"above sample <b>{sample}</b>, below training volume <b>{person}</b>"
        in (done / "index.html").read_text()
    )


def test_columns_without_values_are_left_out(config, done, tmp_path):
    """Without a VAE there is no ceiling; copies have no value at equal numbers."""
    run(replace(config, vae="none"), tmp_path / "out")
    assert 'class="equal">reconstruction<' not in (tmp_path / "out" / "index.html").read_text()
    assert 'class="equal">reconstruction<' in (done / "index.html").read_text()
    copies = (
        (done / "index.html")
        .read_text()
        .split("<h2>Copies of training data")[1]
        .split("</table>")[0]
    )
    assert "reconstruction" not in copies
    assert "equal n" not in copies


def test_copies_are_told(config, world, tmp_path, capsys):
    """Training files as samples: noted, and on the terminal."""
    run(replace(config, samples=f"{world / 'real'}:train", vae="none"), tmp_path / "out")
    said = capsys.readouterr().out
    assert "files of real:train are training files" in said
    assert "coarse voxels: share nearer to a training volume" in said
    assert scores_of(tmp_path / "out")["copies/voxels/flagged"]["value"] == 1


def test_it_repeats(done, config, tmp_path):
    run(config, tmp_path / "again")
    assert scores_of(tmp_path / "again") == scores_of(done)


def test_the_real_against_itself(config, world, tmp_path):
    """Held-out people as samples: distance 0, and a warning."""
    shutil.copytree(world / "real", tmp_path / "copy")
    both = replace(config, samples=f"{tmp_path / 'copy'}:test", vae="none")
    run(both, tmp_path / "out")
    record = json.loads((tmp_path / "out" / "scores.json").read_text())
    scores = scores_of(tmp_path / "out")
    assert scores["random-3d/fid"]["value"] == pytest.approx(0, abs=1e-5)
    assert scores["random-3d/precision"]["value"] == 1
    assert any("10 files of copy:test are identical" in note for note in record["notes"])
    assert scores["partner/ssim"]["value"] == pytest.approx(1, abs=1e-6)
    assert scores["random-3d/partner"]["value"] == 0


def test_corrupt_samples_are_counted(config, world, tmp_path):
    shutil.copytree(world / "same", tmp_path / "set")
    (tmp_path / "set" / "v103_T1w.nii.gz").write_bytes(b"\x1f\x8bbroken")
    assert run(replace(config, samples=str(tmp_path / "set")), tmp_path / "out") == 1
    assert "v103" in (tmp_path / "out" / "rejected.csv").read_text()
    assert scores_of(tmp_path / "out")["random-3d/fid"]["n"] == 11


def test_refusals(config, world, tmp_path):
    with pytest.raises(ValueError, match="samples= names no folder"):
        run(replace(config, samples=""), tmp_path / "a")
    with pytest.raises(ValueError, match="training data.*force=true"):
        run(replace(config, splits=("train",)), tmp_path / "b")
    other = write_set(tmp_path / "other", range(3), shape=(24, 28, 24))
    with pytest.raises(FrameError, match="resample=true"):
        run(replace(config, samples=str(other)), tmp_path / "c")
    raw = tmp_path / "raw"
    raw.mkdir()
    save_nifti(raw / "x_T1w.nii.gz", Volume(np.float32(900) * blob(0).voxels, blob(0).affine))
    with pytest.raises(ValueError, match="none of the 1 files of raw.*\\[0, 1\\] is expected"):
        run(replace(config, samples=str(raw)), tmp_path / "d")
    with pytest.raises(ValueError, match="people of the reference"):
        run(replace(config, real=f"{world / 'real'}:test"), tmp_path / "e")
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()


def test_other_sizes_are_resampled_if_asked(config, tmp_path):
    other = write_set(tmp_path / "other", range(8), shape=(24, 28, 24))
    run(replace(config, samples=str(other), resample=True, vae="none", train=""), tmp_path / "out")
    assert scores_of(tmp_path / "out")["random-3d/fid"]["n"] == 8


def test_a_handful_of_volumes(config, tmp_path):
    """Three samples, two people: what can be said is said, the rest named."""
    few = write_set(tmp_path / "few", range(3))
    people = tiny_cohort(tmp_path / "people", n=4, shape=(32, 36, 32), val=0.25, test=0.5)
    small = replace(config, samples=str(few), reference=str(people), train="", vae="none")
    run(small, tmp_path / "out")
    record = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert any("need 6 volumes in each set" in note for note in record["notes"])
    assert "random-3d/fid" in scores_of(tmp_path / "out")
    assert all(score["interval"] is None for score in scores_of(tmp_path / "out").values())
    assert "below 5 of either there are no intervals" in record["verdict"]["few"]["unsure"]


def test_parts_then_the_whole(config, tmp_path, capsys):
    fresh = replace(config, cache=str(tmp_path / "cache"))
    for number in (1, 2):
        run(replace(fresh, part=f"{number}/2"), tmp_path / f"part{number}")
        assert not (tmp_path / f"part{number}" / "scores.json").exists()
    assert "features are in" in capsys.readouterr().out
    run(replace(fresh, vae="none"), tmp_path / "out")
    assert (tmp_path / "out" / "scores.json").is_file()


@pytest.fixture(scope="module")
def compared(world, kept, tmp_path_factory):
    out = tmp_path_factory.mktemp("compared") / "out"
    config = CompareConfig(
        sets={
            "same": str(world / "same"),
            "bright": str(world / "bright"),
            "others": str(world / "others"),
        },
        reference=str(world / "real"),
        splits=("val", "test"),
        extractors=("random-3d",),
        morphology="none",
        bootstrap=100,
        draws=3,
        pairs=5,
        cache=str(kept),
        workers=1,
        device="cpu",
    )
    assert run(config, out) == 0
    return out


def test_one_table(compared):
    record = json.loads((compared / "scores.json").read_text())
    assert list(record["sets"]) == ["same", "bright", "others"]
    assert {s["n"] for s in record["sets"].values()} == {12}
    assert any("12 of 14 of others" in note for note in record["notes"])
    lines = (compared / "scores.csv").read_text().splitlines()
    assert sum(line.startswith("bright,random-3d/kid,") for line in lines) == 1
    assert (compared / "figures" / "merits-random-3d.png").is_file()
    page = (compared / "index.html").read_text()
    assert "Differences between sets" in page


def test_differences_have_the_right_p(compared):
    """Sets of one kind do not differ; the brighter one differs from both."""
    record = json.loads((compared / "scores.json").read_text())
    p = {(d["a"], d["b"]): d for d in record["differences"] if d["key"] == "spectrum/high"}
    assert set(p) == {("same", "bright"), ("same", "others"), ("bright", "others")}
    assert p["same", "others"]["p"] > 0.05
    assert p["same", "bright"]["p"] < 0.01
    assert p["bright", "others"]["p_holm"] >= p["bright", "others"]["p"]
    values = {n: {s["key"]: s["value"] for s in v["scores"]} for n, v in record["sets"].items()}
    gap = values["same"]["spectrum/high"] - values["bright"]["spectrum/high"]
    assert p["same", "bright"]["difference"] == pytest.approx(gap)
    assert not any(
        "precision" in d["key"] for d in record["differences"]
    )  # its manifolds are not resampled


def test_one_set_is_nothing_to_compare(world, tmp_path):
    with pytest.raises(ValueError, match="compare takes two or more"):
        run(
            CompareConfig(sets=str(world / "same"), reference=str(world / "real")), tmp_path / "out"
        )


def test_all_sets_are_of_the_number_of_the_smallest():
    assert number_of_each([range(9)], 0) == 0
    assert number_of_each([range(9)], 20) == 20
    assert number_of_each([range(9), range(4)], 0) == 4
    assert number_of_each([range(9), range(4)], 3) == 3
