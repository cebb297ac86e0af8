"""Latents of two components: an image and the mask of its lesions."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from latents.support import tiny_lesion, tiny_pairs
from neuromf import cli
from neuromf.autoencoder.components import split
from neuromf.autoencoder.load import load_vae
from neuromf.autoencoder.mask_codes import load_mask_code
from neuromf.data.cohort import read_cohort
from neuromf.data.volume import VolumeError, volume_sha256, write_mask
from neuromf.latents import LatentStats, LatentStore, StoreError
from neuromf.latents.encode import EncodeConfig, run
from neuromf.latents.inspection import describe
from neuromf.latents.lesions import cached_code, centre, count_left_out, encode_lesion
from neuromf.latents.statistics import latent_statistics


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return tiny_pairs(tmp_path_factory.mktemp("pairs") / "volumes")


@pytest.fixture
def config(pairs, vae_folder):
    return EncodeConfig(volumes=str(pairs), vae=str(vae_folder), shard=4, lesions="distance")


@pytest.mark.parametrize(("lesions", "channels"), [("distance", 4), ("average", 1)])
def test_a_latent_holds_the_image_and_then_the_lesions(config, tmp_path, lesions, channels):
    assert run(replace(config, lesions=lesions), tmp_path / "two") == 0
    run(replace(config, lesions=""), tmp_path / "one")
    one, two = LatentStore(tmp_path / "one"), LatentStore(tmp_path / "two")
    assert [c.name for c in two.components] == ["image", "lesion"]
    assert two.shape == (4 + channels, *one.shape[1:])

    vae = load_vae(config.vae)
    code = load_mask_code(two.components[1].vae.name, vae)
    assert code.space == two.components[1].vae
    for i, entry in enumerate(read_cohort(Path(config.volumes))):
        parts = split(two[i][None], two.components)
        assert torch.equal(parts["image"][0], one[i])
        mask = entry.read_lesion()
        wanted = code.encode(torch.from_numpy(mask.voxels)[None, None], mask.spacing)
        assert torch.equal(parts["lesion"], wanted)


def test_what_is_known_of_the_lesions_is_in_the_index(config, tmp_path):
    run(config, tmp_path / "out")
    entries = LatentStore(tmp_path / "out").entries
    for entry, volume in zip(entries, read_cohort(Path(config.volumes)), strict=True):
        assert entry.volume_sha256 == volume.record["sha256"]
        assert entry.lesion_sha256 == volume.lesion_sha256 != ""
        assert entry.lesion_ml == float(volume.record["lesion_ml"])
        assert all(0.3 < share < 0.7 for share in entry.lesion_centre)


def test_without_lesions_the_store_is_that_of_images(config, pairs, tmp_path, capsys):
    run(replace(config, lesions=""), tmp_path / "out")
    store = LatentStore(tmp_path / "out")
    assert store.shape[0] == 4
    assert {(e.lesion_sha256, e.lesion_ml, e.lesion_centre) for e in store.entries} == {
        ("", None, ())
    }
    said = capsys.readouterr().out
    assert "6 of 6 volumes have a lesion mask, which is left out: lesions=distance" in said


def test_nothing_is_said_where_there_are_no_masks(cohort):
    assert count_left_out(read_cohort(cohort)) == ""


def test_volumes_without_a_mask_are_refused_by_name(vae_folder, tmp_path):
    folder = tiny_pairs(tmp_path / "volumes", without=(2,))
    config = EncodeConfig(str(folder), str(vae_folder), lesions="distance")
    assert run(config, tmp_path / "out") == 1
    assert "s2.nii.gz: has no lesion mask" in (tmp_path / "out" / "rejected.csv").read_text()
    assert [e.name for e in LatentStore(tmp_path / "out").entries] == ["s0", "s1", "s3", "s4", "s5"]


def test_a_cohort_without_any_mask_is_refused_before_anything_is_made(cohort, vae_folder, tmp_path):
    with pytest.raises(VolumeError, match="none of .* volumes has a lesion mask"):
        run(EncodeConfig(str(cohort), str(vae_folder), lesions="distance"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def written(out):
    """When each latent's shard was written."""
    return {
        e.name: (out / f"{e.shard}.safetensors").stat().st_mtime_ns
        for e in LatentStore(out).entries
    }


def test_a_changed_mask_is_encoded_again(config, tmp_path):
    folder = tmp_path / "volumes"
    shutil.copytree(config.volumes, folder)
    config, out = replace(config, volumes=str(folder), shard=1), tmp_path / "out"
    run(config, out)
    before = written(out)
    entry = read_cohort(folder)[3]

    write_mask(entry.lesion_path, tiny_lesion(entry.read(), 2))
    assert run(config, tmp_path / "other") == 1  # the file is not that of the manifest
    assert (
        "is not the lesion mask that its manifest lists"
        in (tmp_path / "other" / "rejected.csv").read_text()
    )

    tiny_pairs(folder)
    run(config, out, resume=True)
    assert written(out) == before

    manifest = (folder / "manifest.csv").read_text()
    volumes = read_cohort(folder)
    write_mask(volumes[3].lesion_path, tiny_lesion(entry.read(), 2))
    (folder / "manifest.csv").write_text(
        manifest.replace(volumes[3].lesion_sha256, volume_sha256(volumes[3].lesion_path))
    )
    run(config, out, resume=True)
    store = LatentStore(out)
    assert {n for n, at in written(out).items() if before[n] != at} == {"s3"}
    assert store.entries[3].lesion_sha256 == volume_sha256(volumes[3].lesion_path)
    run(config, tmp_path / "fresh")
    fresh = LatentStore(tmp_path / "fresh")
    assert all(torch.equal(store[i], fresh[i]) for i in range(6))
    assert [replace(e, shard="a") for e in store.entries] == [
        replace(e, shard="a") for e in fresh.entries
    ]


def test_a_lost_mask_is_refused(pairs, vae_folder, tmp_path):
    shutil.copytree(pairs, tmp_path / "volumes")
    entry = read_cohort(tmp_path / "volumes")[0]
    entry.lesion_path.unlink()
    with pytest.raises(VolumeError, match="s0_lesion.nii.gz: the lesion mask is missing"):
        encode_lesion(load_mask_code("average", load_vae(str(vae_folder))), entry)


def test_settings_are_checked(config, tmp_path):
    with pytest.raises(ValueError, match="sigma=true, lesions=distance: a mask has no posterior"):
        replace(config, sigma=True)
    with pytest.raises(ValueError, match="mask code 'no such code'"):
        run(replace(config, lesions="no such code"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(StoreError, match="lesions=average changed while encoding"):
        cached_code("average", load_vae(config.vae), "another fingerprint")


def test_the_centre_is_in_shares_of_the_grid():
    mask = np.zeros((10, 20, 5), np.float32)
    assert centre(mask) == ()
    mask[0, 19, 2] = 1
    assert centre(mask) == pytest.approx((0.05, 0.975, 0.5))
    mask[9, 0, 2] = 1
    assert centre(mask) == pytest.approx((0.5, 0.5, 0.5))


@pytest.mark.parametrize(("lesions", "channels"), [("distance", 8), ("average", 5)])
def test_a_store_of_two_components_trains(vae_folder, tmp_path, monkeypatch, lesions, channels):
    """volumes and masks → latents → model, as typed."""
    monkeypatch.chdir(tmp_path)
    tiny_pairs(tmp_path / "volumes", n=8, shape=(24, 24, 24))
    network = "channels: [16, 32], attention: [false, true], attention_head_channels: [0, 16], res_blocks: 1, norm_groups: 4"
    (tmp_path / "net.yaml").write_text(f"network: {{{network}, latent_channels: {channels}}}\n")
    for line in (
        f"encode volumes=volumes vae={vae_folder} lesions={lesions} out=latents",
        "train net.yaml latents=latents updates=2 batch=2 ema=[0.5] samples.n=1 samples.nfe=[1] device=cpu out=run",
    ):
        verb, *words = line.split()
        cli.run_verb(verb, cli.VERBS[verb], words)

    store = LatentStore("latents")
    assert store.shape[0] == channels
    stats = LatentStats.load("latents")
    z = stats.normalise(torch.stack([store[i] for i in store.split("train")])).movedim(1, 0)
    assert z.flatten(1).mean(1).abs().max() < 1e-3
    assert f"4 to {channels - 1}: lesion by {lesions}" in describe(store, latent_statistics(store))
    assert (tmp_path / "run" / "model" / "config.json").is_file()
