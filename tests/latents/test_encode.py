import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch

from neuromf.autoencoder.load import load_vae
from neuromf.data.cohort import read_cohort
from neuromf.latents import LatentStats, LatentStore, StoreError
from neuromf.latents.encode import EncodeConfig, run
from neuromf.runtime.lock import lock
from support import tiny_cohort, tiny_vae


@pytest.fixture
def config(cohort, vae_folder):
    return EncodeConfig(volumes=str(cohort), vae=str(vae_folder), shard=3)


def same(a, b):
    one, two = LatentStore(a), LatentStore(b)
    assert [e.name for e in one.entries] == [e.name for e in two.entries]
    return all(torch.equal(one[i], two[i]) for i in range(len(one)))


def test_a_store_holds_every_volumes_mean(config, tmp_path, cohort):
    assert run(config, tmp_path / "out") == 0
    store, vae = LatentStore(tmp_path / "out"), load_vae(config.vae)
    assert store.shape == (4, 6, 7, 6)
    assert store.vae == vae.space
    volumes = {e.name: e for e in read_cohort(cohort)}
    for i, entry in enumerate(store.entries):
        volume = volumes[entry.name]
        expected = vae.encode(torch.from_numpy(volume.read().voxels)[None, None])[0]
        torch.testing.assert_close(store[i], expected)
        assert (entry.split, entry.subject, entry.dataset) == (volume.split, volume.subject, "tiny")
        assert entry.volume_sha256 == volume.record["sha256"]
        torch.testing.assert_close(
            torch.tensor(entry.affine), torch.tensor(volume.read().affine), check_dtype=False
        )
    assert len(list((tmp_path / "out").glob("shard-*.safetensors"))) == 3


def test_statistics_are_of_the_training_split(config, tmp_path):
    run(config, tmp_path / "out")
    store, stats = LatentStore(tmp_path / "out"), LatentStats.load(tmp_path / "out")
    z = stats.normalise(torch.stack([store[i] for i in store.split("train")]))
    values = z.movedim(1, 0).flatten(1)
    assert values.mean(1).abs().max() < 0.5
    assert ((values.std(1) > 0.5) & (values.std(1) < 2)).all()
    assert stats.latents == len(store.split("train")) < len(store)


def test_sigma_is_stored_if_asked(config, tmp_path):
    run(config, tmp_path / "without")
    with pytest.raises(StoreError, match="encode with sigma=true"):
        LatentStore(tmp_path / "without").sigma(0)
    run(replace(config, sigma=True), tmp_path / "out")
    assert LatentStore(tmp_path / "out").sigma(0).min() > 0


def test_processes_make_the_same_store(config, tmp_path):
    run(config, tmp_path / "one")
    run(replace(config, workers=2), tmp_path / "two")
    one, two = LatentStore(tmp_path / "one"), LatentStore(tmp_path / "two")
    for i in range(len(one)):
        torch.testing.assert_close(one[i], two[i])


def test_half_a_shard_is_made_again(config, tmp_path):
    out = tmp_path / "out"
    run(config, out)
    run(config, tmp_path / "fresh")
    broken = out / "shard-00001.safetensors"
    broken.write_bytes(broken.read_bytes()[:-5])
    (out / ".shard-00002.0123456789abcdef.tmp.safetensors").write_bytes(b"half")
    kept = (out / "shard-00000.safetensors").stat().st_mtime_ns
    assert run(config, out, resume=True) == 0
    assert same(out, tmp_path / "fresh")
    assert (out / "shard-00000.safetensors").stat().st_mtime_ns == kept
    assert not list(out.glob(".shard-*"))


def test_new_volumes_join_and_changed_ones_are_encoded_again(vae_folder, tmp_path):
    cohort = tiny_cohort(tmp_path / "cohort", n=4)
    config = EncodeConfig(volumes=str(cohort), vae=str(vae_folder))
    run(config, tmp_path / "out")
    tiny_cohort(cohort, n=6)
    run(config, tmp_path / "out", resume=True)
    run(config, tmp_path / "fresh")
    assert len(LatentStore(tmp_path / "out")) == 6
    assert same(tmp_path / "out", tmp_path / "fresh")


def test_kill_and_rerun(config, tmp_path):
    """kill -9 in the middle: what is there is whole, and a rerun makes the rest."""
    out = tmp_path / "out"
    words = [f"volumes={config.volumes}", f"vae={config.vae}", "shard=1", f"out={out}"]
    command = [sys.executable, "-m", "neuromf.cli", "encode", *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(out.glob("shard-*.json")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    run(replace(config, shard=1), out, resume=True)
    run(replace(config, shard=1), tmp_path / "fresh")
    assert same(out, tmp_path / "fresh")
    assert json.loads((out / "run.json").read_text())["state"] == "finished"


def test_a_second_encoder_is_refused(config, tmp_path):
    out = tmp_path / "out"
    run(config, out)
    with lock(out), pytest.raises(FileExistsError, match="is being written by"):
        run(config, out, resume=True)
    run(config, out, resume=True)  # it is gone: go on


def test_a_bad_volume_is_listed_and_the_rest_goes_on(vae_folder, tmp_path):
    cohort = tiny_cohort(tmp_path / "cohort", n=5)
    (cohort / "s2.nii.gz").write_bytes((cohort / "s2.nii.gz").read_bytes()[:50])
    assert run(EncodeConfig(volumes=str(cohort), vae=str(vae_folder)), tmp_path / "out") == 1
    assert (
        "is not the file that its manifest lists" in (tmp_path / "out" / "rejected.csv").read_text()
    )
    assert [e.name for e in LatentStore(tmp_path / "out").entries] == ["s0", "s1", "s3", "s4"]


def test_volumes_of_two_sizes(vae_folder, tmp_path):
    one, two = (
        tiny_cohort(tmp_path / "one", n=2),
        tiny_cohort(tmp_path / "two", n=1, shape=(24, 24, 24)),
    )
    for path in two.iterdir():
        if path.name.startswith("s0."):
            path.rename(two / path.name.replace("s0", "t0"))
    (two / "manifest.csv").write_text((two / "manifest.csv").read_text().replace("s0", "t0"))
    with pytest.raises(StoreError, match=r"t0.nii.gz has the grid .*prepare all with one preset"):
        run(EncodeConfig(volumes=[str(one), str(two)], vae=str(vae_folder)), tmp_path / "out")
    assert not (tmp_path / "out").exists()  # said before anything is encoded
    with pytest.raises(ValueError, match=r"s0 is both .* rename one"):
        run(
            EncodeConfig(
                volumes=[str(one), str(tiny_cohort(tmp_path / "three", n=1))], vae=str(vae_folder)
            ),
            tmp_path / "other",
        )


def test_another_vae_does_not_go_on_with_the_store(config, tmp_path, vae_folder):
    out = tmp_path / "out"
    run(config, out)
    again = tiny_vae(tmp_path / "vae", seed=1)
    for name in ("model.safetensors", "config.json"):  # the same path, other weights
        (tmp_path / "kept").mkdir(exist_ok=True)
        (tmp_path / "kept" / name).write_bytes((again / name).read_bytes())
    moved = replace(config, vae=str(tmp_path / "kept"))
    run(moved, tmp_path / "two")
    first = LatentStore(tmp_path / "two")[0]
    for name in ("model.safetensors", "config.json"):
        (tmp_path / "kept" / name).write_bytes((vae_folder / name).read_bytes())
    run(moved, tmp_path / "two", resume=True)
    assert not torch.equal(LatentStore(tmp_path / "two")[0], first)
    assert same(tmp_path / "two", out)


def test_settings_are_checked(tmp_path):
    with pytest.raises(ValueError, match="volumes= is empty"):
        run(EncodeConfig(), tmp_path / "out")
    with pytest.raises(ValueError, match="1 or more"):
        EncodeConfig(workers=0)
    with pytest.raises(FileNotFoundError, match=r"holds no manifest.csv"):
        run(EncodeConfig(volumes=str(tmp_path)), tmp_path / "out")


def test_a_folder_named_twice_counts_once(config, tmp_path):
    run(replace(config, volumes=[config.volumes, config.volumes]), tmp_path / "out")
    assert len(LatentStore(tmp_path / "out")) == 8


def test_a_volume_that_was_exchanged_is_not_encoded_under_the_others_name(vae_folder, tmp_path):
    cohort = tiny_cohort(tmp_path / "cohort", n=5)
    (cohort / "s2.nii.gz").write_bytes((cohort / "s3.nii.gz").read_bytes())
    assert run(EncodeConfig(volumes=str(cohort), vae=str(vae_folder)), tmp_path / "out") == 1
    assert [e.name for e in LatentStore(tmp_path / "out").entries] == ["s0", "s1", "s3", "s4"]
    assert (
        "s2.nii.gz: is not the file that its manifest lists"
        in (tmp_path / "out" / "rejected.csv").read_text()
    )
