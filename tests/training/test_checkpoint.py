"""Checkpoints: whole, pruned, read without running code, of this run alone."""

import os
import pickle
import shutil
from dataclasses import asdict, replace

import pytest
import torch

from neuromf.autoencoder.components import image_of
from neuromf.autoencoder.frozen import LatentSpace
from neuromf.latents.statistics import LatentStats
from neuromf.latents.store import LatentStore
from neuromf.pretrained.statedict import WeightsError
from neuromf.runtime.config import ConfigError, to_yaml
from neuromf.training import command as fit
from neuromf.training.checkpoint import (
    Origin,
    check_same_run,
    read_checkpoint,
    trained_config,
)
from neuromf.training.command import loop_of
from neuromf.training.config import Checkpoints, Samples
from neuromf.training.log import Log
from neuromf.training.saver import Saver
from support import STORE_VAE, tiny_unet
from training.support import latent_store, tiny_config


def fresh(config):
    """A loop whose optimiser is there, as in a run."""
    loop = loop_of(config, tiny_unet(torch.float32))
    (optimiser,), _ = loop.configure_optimizers()
    loop.optimizers = lambda **_: optimiser
    return loop


def saver_of(out, config, store):
    log = Log(out, 1, config.batch)
    return Saver(out / "checkpoints", log, 1, 1, "train", config, origin(store).record())


def origin(store):
    stats, sha256 = LatentStats.load(store), LatentStore(store).sha256
    return Origin(image_of(STORE_VAE), stats, (2.0, 2.0, 2.0), sha256)


def test_older_ones_are_deleted(tmp_path, store):
    config = tiny_config(store, updates=10, checkpoints=Checkpoints(every=2, keep=2))
    fit.run(config, tmp_path / "run")
    names = sorted(p.name for p in (tmp_path / "run" / "checkpoints").iterdir())
    assert names == [
        "last.ckpt",
        "update-00000006.ckpt",
        "update-00000008.ckpt",
        "update-00000010.ckpt",
    ]


def test_a_checkpoint_loads_as_weights_only(tmp_path, store):
    fit.run(tiny_config(store, updates=2), tmp_path / "run")
    state = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["state"]["update"] == 2
    assert state["components"] == [{"name": "image", "vae": asdict(STORE_VAE)}]
    assert state["provenance"]["versions"]["torch"]
    assert "latents:" in state["config"]


class Evil:
    def __reduce__(self):
        return os.system, ("exit 1",)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "last.ckpt"
    with pytest.raises(FileNotFoundError, match="no such checkpoint"):
        read_checkpoint(path)
    with path.open("wb") as stream:
        pickle.dump({"format": 1, "x": Evil()}, stream, protocol=2)
    with pytest.raises(WeightsError):
        read_checkpoint(path)
    torch.save({"x": Evil()}, path)
    with pytest.raises(WeightsError, match="could run code"):
        read_checkpoint(path)
    torch.save({"weights": torch.ones(3)}, path)
    with pytest.raises(WeightsError, match="no checkpoint"):
        read_checkpoint(path)


def test_a_truncated_one_is_refused_and_nothing_is_lost(tmp_path, store):
    config = tiny_config(store, updates=4, checkpoints=Checkpoints(every=2, keep=1))
    fit.run(config, tmp_path / "run")
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    whole = path.read_bytes()
    path.unlink()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match="not readable"):
        fit.run(config, tmp_path / "run", resume=True)
    os.replace(tmp_path / "run" / "checkpoints" / "update-00000004.ckpt", path)
    fit.run(config, tmp_path / "run", resume=True)


def test_the_advice_for_a_damaged_one_is_one_that_can_be_read(tmp_path, store):
    """Damage in place is damage of the newest numbered one too: the same file by another name."""
    config = tiny_config(store, updates=6, checkpoints=Checkpoints(every=2, keep=2))
    fit.run(config, tmp_path / "run")
    folder = tmp_path / "run" / "checkpoints"
    last, older = folder / "last.ckpt", folder / "update-00000004.ckpt"
    size = last.stat().st_size
    os.truncate(last, size // 2)
    with pytest.raises(WeightsError, match="; update-00000004.ckpt beside it can be read: rename"):
        fit.run(config, tmp_path / "run", resume=True)
    os.truncate(older, size // 2)
    with pytest.raises(WeightsError, match=r"update-00000002\.ckpt beside it"):
        read_checkpoint(last)
    shutil.copyfile(last, folder / "best.ckpt")
    for name in ("best.ckpt", older.name):  # those are no last.ckpt to go on from
        with pytest.raises(WeightsError) as told:
            read_checkpoint(folder / name)
        assert "beside it" not in str(told.value)
    os.replace(folder / "update-00000002.ckpt", last)
    fit.run(config, tmp_path / "run", resume=True)


def test_saving_is_whole_or_not_at_all(tmp_path, store, monkeypatch):
    config = tiny_config(store)
    loop, saver = fresh(config), saver_of(tmp_path, config, store)
    loop.state.update = 3
    saver.save(loop)

    def broken(state, stream):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(OSError, match="No space"):
        saver.save(loop)
    assert read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["state"]["update"] == 3
    assert not list((tmp_path / "checkpoints").glob(".*"))


def test_another_run_is_refused(store):
    config, own = tiny_config(store), origin(store)
    state = {
        "components": [asdict(c) for c in image_of(STORE_VAE)],
        "config": to_yaml(config),
        "stats": asdict(own.stats),
        "latents": own.latents,
    }
    check_same_run(state, replace(config, num_workers=2), own)
    with pytest.raises(ValueError, match="give the latents that the run began with"):
        check_same_run(
            state, config, own._replace(components=image_of(LatentSpace("other", "b" * 64, 4, 4)))
        )
    with pytest.raises(
        ConfigError, match="the checkpoint was started with another configuration .*accumulate"
    ):
        check_same_run(state, replace(config, accumulate=2), own)
    with pytest.raises(ConfigError, match=r"samples\.n: 3"):
        check_same_run(state, replace(config, samples=Samples(n=3)), own)


def test_other_latents_under_the_same_path_are_refused(tmp_path):
    """Another cohort, and subjects that were added: training would go on, and export statistics that are not its own."""
    config = tiny_config(latent_store(tmp_path / "latents"))
    fit.run(replace(config, updates=2), tmp_path / "run")
    shutil.rmtree(tmp_path / "latents")
    latent_store(tmp_path / "latents", n=30)
    with pytest.raises(
        ValueError,
        match=r"on 18 latents of 18 people, .* other statistics now \(24 latents of 24 people",
    ):
        fit.run(replace(config, updates=2), tmp_path / "run", resume=True)
    stats = LatentStats.load(tmp_path / "latents")
    shutil.rmtree(tmp_path / "latents")
    latent_store(tmp_path / "latents", names="p")
    assert LatentStats.load(tmp_path / "latents") != stats
    with pytest.raises(ValueError, match="holds other latents than the checkpoint was trained on"):
        fit.run(replace(config, updates=2), tmp_path / "run", resume=True)


@pytest.mark.parametrize("where", [0.1, 0.5, 0.9])
def test_a_flipped_bit_in_a_checkpoint_is_noticed(tmp_path, store, monkeypatch, where):
    config = tiny_config(store)
    saver_of(tmp_path, config, store).save(fresh(config))
    path = tmp_path / "checkpoints" / "last.ckpt"
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= 16
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="last.ckpt: was damaged since it was written"):
        read_checkpoint(path)


def test_a_checkpoint_of_version_0_1_is_resumed_and_exported(tmp_path, store):
    """What that version wrote: the state in `meter`, earlier names of keys, one VAE."""
    config = tiny_config(store, updates=4, latent_scale=0.5)
    fit.run(config, tmp_path / "whole")
    fit.run(replace(config, updates=4, checkpoints=Checkpoints(every=2)), tmp_path / "run")
    kept = tmp_path / "run" / "checkpoints" / "update-00000002.ckpt"
    state = torch.load(kept, weights_only=True)
    now = state.pop("state")
    rows = [
        {{"nonfinite_samples": "nonfinite_rows"}.get(k, k): v for k, v in row.items()}
        for row in now["rows"]
    ]
    meter = {"rows": rows, "looks": [], "sums": now["sums"], "norms": now["norms"]}
    text = state["config"].replace("latent_scale:", "scale:").replace("num_workers:", "loaders:")
    text = text.replace("attention_head_channels:", "head_channels:") + "launch: here\n"
    state |= {"format": 1, "config": text.replace("v_head_blocks:", "head_blocks:"), "meter": meter}
    state |= {"vae": state.pop("components")[0]["vae"], "update": now["update"], "skipped": 0}
    del state["verb"]
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    last.unlink()
    torch.save(state, last)

    assert trained_config(read_checkpoint(last)).latent_scale == 0.5
    fit.run(replace(config, checkpoints=Checkpoints(every=2)), tmp_path / "run", resume=True)
    one, two = (
        read_checkpoint(tmp_path / n / "checkpoints" / "last.ckpt") for n in ("run", "whole")
    )
    assert all(torch.equal(v, two["network"][k]) for k, v in one["network"].items())
    assert [r["raw"] for r in one["state"]["rows"]] == [r["raw"] for r in two["state"]["rows"]]
