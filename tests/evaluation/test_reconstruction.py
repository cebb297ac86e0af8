import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from neuromf.autoencoder.load import load_vae
from neuromf.data.cohort import read_cohort
from neuromf.data.reading import read_volume
from neuromf.data.volume import Volume
from neuromf.evaluation.reconstruction import (
    OUTPUT,
    Score,
    ValidateVAEConfig,
    page,
    pictures,
    run,
    summarise,
)
from neuromf.latents.encode import EncodeConfig
from neuromf.latents.encode import run as encode
from neuromf.metrics.similarity import psnr, ssim
from neuromf.runtime.run import open_run
from reporting.support import check_page
from support import tiny_cohort, tiny_decoder, tiny_vae


@pytest.fixture
def config(cohort, vae_folder):
    return ValidateVAEConfig(volumes=str(cohort), vae=str(vae_folder), device="cpu")


def test_another_decoder(config, vae_folder, tmp_path):
    vae = load_vae(str(vae_folder))
    decoder = str(tiny_decoder(tmp_path / "decoder", vae))
    assert run(replace(config, decoder=decoder, n=1), tmp_path / "out") == 0
    (entry,) = replace(config, n=1).entries()
    written = read_volume(tmp_path / "out" / "reconstructions" / f"{entry.name}.nii.gz")
    z = vae.encode(torch.from_numpy(entry.read().voxels)[None, None])
    expected = load_vae(decoder).decode(z)[0, 0].clamp(0, 1)
    torch.testing.assert_close(torch.from_numpy(written.voxels), expected, atol=1e-3, rtol=0)
    other = str(tiny_decoder(tmp_path / "other", load_vae(str(tiny_vae(tmp_path / "v", 1)))))
    with pytest.raises(ValueError, match="asked to decode latents of tiny"):
        run(replace(config, decoder=other), tmp_path / "none")


def test_figures_are_those_of_the_written_volumes(config, cohort, tmp_path):
    assert run(config, tmp_path / "out") == 0
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert scores["volumes"] == 4
    held_out = {e.name: e for e in read_cohort(cohort) if e.split != "train"}
    assert {s["name"] for s in scores["each"]} == set(held_out)
    for score in scores["each"]:
        x = torch.from_numpy(held_out[score["name"]].read().voxels)
        written = read_volume(tmp_path / "out" / "reconstructions" / f"{score['name']}.nii.gz")
        y = torch.from_numpy(written.voxels)
        assert score["ssim"] == pytest.approx(ssim(x, y), abs=1e-4)
        assert score["psnr"] == pytest.approx(psnr(x, y), abs=1e-2)
        assert (written.affine == held_out[score["name"]].read().affine).all()
    assert scores["mean"]["ssim"]["mean"] == pytest.approx(
        sum(s["ssim"] for s in scores["each"]) / 4
    )
    assert 0 < scores["bfloat16"]["mean"] < scores["bfloat16"]["max"] < 0.2
    assert scores["bfloat16"]["not_finite"] == 0
    found = check_page((tmp_path / "out" / "index.html").read_text(), "validate-vae", scripts=1)
    assert len(found.all("figure")) == 1 + 4 + 2  # the table, each volume, both sides of the viewer
    names = [s["name"] for s in sorted(scores["each"], key=lambda s: s["ssim_brain"])]
    assert f"{names[0]}: original; {names[0]}: reconstruction; {names[2]}: original" in found.text
    assert [i["alt"] for i in found.all("img")] == [
        f"{s['name']}: {kind}"
        for s in scores["each"]
        for kind in ("original", "reconstruction", "difference")
    ]


def test_stored_latents_give_the_same(config, tmp_path):
    encode(EncodeConfig(volumes=config.volumes, vae=config.vae), tmp_path / "latents")
    run(config, tmp_path / "a")
    run(replace(config, latents=str(tmp_path / "latents")), tmp_path / "b")
    a, b = (json.loads((tmp_path / n / "scores.json").read_text())["each"] for n in "ab")
    for one, two in zip(a, b, strict=True):
        assert one["ssim"] == pytest.approx(two["ssim"], abs=1e-5)


def test_latents_of_another_vae(config, tmp_path):
    other = tiny_vae(tmp_path / "other", seed=1)
    encode(EncodeConfig(volumes=config.volumes, vae=str(other)), tmp_path / "latents")
    with pytest.raises(ValueError, match=r"fingerprint .* were made by tiny"):
        run(replace(config, latents=str(tmp_path / "latents")), tmp_path / "out")


def test_a_bad_volume_is_listed(config, tmp_path):
    cohort = tiny_cohort(tmp_path / "cohort")
    bad = next(e for e in read_cohort(cohort) if e.split == "val")
    bad.path.write_bytes(b"")
    assert run(replace(config, volumes=str(cohort), splits=("test", "val")), tmp_path / "out") == 1
    assert bad.name in json.loads((tmp_path / "out" / "scores.json").read_text())["failed"][0]


def test_names_are_text_on_the_page(config, tmp_path):
    score = Score('<script>"v"', *8 * [0.5])
    x = Volume(np.zeros((8, 9, 10), np.float32), np.eye(4))
    row = {"score": score, "split": "val"} | pictures(x, x)
    vae = SimpleNamespace(name="<b>'vae'", sha256="")
    summary = summarise(vae, [score]) | {"bfloat16": {}, "failed": ["<i>: & broken"]}
    with open_run(tmp_path / "out", config, OUTPUT) as out:
        source = page(out, config, summary, [row])
    found = check_page(source, "validate-vae")
    for given in (score.name, vae.name, "<i>: & broken"):
        assert given in found.text
        assert given not in source
    assert [i["alt"].partition(":")[0] for i in found.all("img")] == 3 * [score.name]


def test_settings_are_checked(config, cohort):
    with pytest.raises(ValueError, match=r"splits are \('vali',\)"):
        ValidateVAEConfig(splits=("vali",))
    with pytest.raises(ValueError, match="volumes= is empty"):
        ValidateVAEConfig().entries()
    assert len(replace(config, n=2).entries()) == 2


def test_a_network_that_returns_its_input_is_perfect():
    """Of the measures, not of a VAE."""
    from neuromf.evaluation.reconstruction import measure

    x = torch.rand(16, 16, 16)
    score = measure("x", x, x.clone(), 0.0)
    assert (score.ssim, score.hf_ratio) == (pytest.approx(1), pytest.approx(1))
    assert score.gmsd == pytest.approx(0, abs=1e-6)
    assert load_vae("small").factor == 4


def test_numbers_below_zero_are_refused():
    with pytest.raises(ValueError, match="n is -1: volumes at most, 0 is all"):
        ValidateVAEConfig(n=-1)
