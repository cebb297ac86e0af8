"""The verb: a run that is stopped and goes on equals one that was not, bit for bit; odd data are refused in words."""

import json
import math
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch

from neuromf import cli
from neuromf.flow import MeanFlow, Ramp, jvp
from neuromf.generation.model import load_model
from neuromf.latents.dataset import LatentAugmentation
from neuromf.runtime import config as settings
from neuromf.runtime.run import Stopped
from neuromf.training import command as fit
from neuromf.training import validation as evaluation
from neuromf.training.checkpoint import read_checkpoint
from neuromf.training.config import Evaluation, TrainConfig
from training.support import StopAfter, latent_store, tiny_config


def losses(out):
    return [
        row["raw"] for row in read_checkpoint(out / "checkpoints" / "last.ckpt")["state"]["rows"]
    ]


def same_state(a, b):
    """Assert that two checkpoints hold the same bits."""
    a, b = (read_checkpoint(out / "checkpoints" / "last.ckpt") for out in (a, b))
    assert a["state"]["update"] == b["state"]["update"]
    for part in ("network", "averages", "optimiser"):
        x, y = flat(a[part]), flat(b[part])
        assert x.keys() == y.keys()
        for key, value in x.items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(value, y[key]), (part, key)
            else:
                assert value == y[key], (part, key)


def flat(tree, prefix=""):
    if isinstance(tree, dict):
        return {
            k: v for key, value in tree.items() for k, v in flat(value, f"{prefix}/{key}").items()
        }
    if isinstance(tree, list | tuple):
        return {
            k: v for i, value in enumerate(tree) for k, v in flat(value, f"{prefix}/{i}").items()
        }
    return {prefix: tree}


@pytest.mark.parametrize("loaders", [0, 1])
def test_resume_is_exact(tmp_path, store, monkeypatch, loaders):
    """Stopped in the middle of what log.csv takes the mean of, and between looks."""
    config = tiny_config(store, updates=7, accumulate=2, num_workers=loaders, log_every=4)
    config = replace(config, evaluation=Evaluation(every=3, n=4, projections=8))
    config = replace(
        config,
        equal_fraction=Ramp(1.0, 0.5, 0.2, 0.6),
        augmentation=LatentAugmentation(flip=True, noise=0.05, scale=0.05),
    )
    fit.run(config, tmp_path / "whole")
    for update in (2, 5):
        monkeypatch.setattr(StopAfter, "update", update)
        monkeypatch.setattr(fit, "Saver", StopAfter)
        with pytest.raises(Stopped):
            fit.run(config, tmp_path / "parts", resume=True)
        monkeypatch.undo()
    fit.run(config, tmp_path / "parts", resume=True)
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    same_state(tmp_path / "parts", tmp_path / "whole")


SETTINGS = [
    *("device=cpu", "precision=float32", "objective.jvp=two-stream"),
    *("network.channels=[16,32]", "network.attention=[false,true]"),
    *("network.attention_head_channels=[0,16]", "network.res_blocks=1", "network.norm_groups=4"),
    *("ema=[0.9]", "batch=2", "log_every=1", "samples.n=1", "samples.nfe=[1]"),
    *("diagnostics.every=0", "evaluation.every=0", "checkpoints.every=5"),
]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def command(store, out, *words):
    return ["train", *SETTINGS, f"latents={store}", f"out={out}", *words]


def neuromf(words, said):
    """The command line in a process group of its own, which says what it says into a file."""
    os.setsid()
    for stream in (sys.stdout, sys.stderr):
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream.fileno())
    torch.set_num_threads(1)
    sys.argv = ["neuromf", *words]
    cli.main()


@pytest.fixture(scope="module")
def forks():
    """New processes that have imported everything already: a server imports once and forks."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["neuromf.training.command", "monai.networks.blocks"])
    return context


def start(forks, words, said):
    process = forks.Process(target=neuromf, args=(words, str(said)))
    process.start()
    return process


def wait_for(condition, seconds=120):
    end = time.time() + seconds
    while not condition():
        assert time.time() < end
        time.sleep(0.02)


def logged(out):
    path = out / "log.csv"
    return path.read_text().count("\n") - 1 if path.is_file() else 0


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 0), (signal.SIGUSR1, 0), (signal.SIGUSR2, 0), (signal.SIGINT, 130)],
)
def test_a_signal_saves(tmp_path, store, forks, number, code):
    """Sent to every process of the run, as clusters and terminals do, loaders included."""
    out, said = tmp_path / "run", tmp_path / "said"
    process = start(forks, command(store, out, "updates=100000", "num_workers=1"), said)
    wait_for(lambda: logged(out) >= 3)
    os.killpg(process.pid, number)
    process.join(60)
    assert process.exitcode == code, said.read_text()
    assert "--resume" in said.read_text()
    state = read_checkpoint(out / "checkpoints" / "last.ckpt")
    assert state["state"]["update"] == len(state["state"]["rows"]) >= 3
    assert '"state": "interrupted"' in (out / "run.json").read_text()


def test_kill_at_any_moment_and_go_on(tmp_path, store, forks):
    """kill -9, twice: the run still ends as one that was never killed."""
    whole, parts, said = tmp_path / "whole", tmp_path / "parts", tmp_path / "said"
    words = [command(store, out, "updates=20", "checkpoints.every=2") for out in (whole, parts)]
    once = start(forks, words[0], said)
    once.join(120)
    assert once.exitcode == 0, said.read_text()
    chance = random.Random(0)
    for _ in range(2):
        before = logged(parts)
        process = start(forks, [*words[1], "--resume"], said)
        wait_for(lambda: logged(parts) >= before + 4 or not process.is_alive())
        time.sleep(chance.uniform(0, 0.4))
        process.kill()
        process.join()
        last = read_checkpoint(parts / "checkpoints" / "last.ckpt")
        assert last["state"]["update"] % 2 == 0
    again = start(forks, [*words[1], "--resume"], said)
    again.join(120)
    assert again.exitcode == 0, said.read_text()
    assert losses(parts) == losses(whole)
    same_state(parts, whole)


def test_two_processes_train_as_one_that_accumulates(tmp_path, store):
    """DDP on the CPU: the same global batch, the same weights but for the order of sums."""
    one, two = tmp_path / "one", tmp_path / "two"
    alone = ["preset=small2mm", *SETTINGS, f"latents={store}", "updates=4", "accumulate=2"]
    fit.run(settings.load(TrainConfig, alone, "train"), one)
    subprocess.run(
        [sys.executable, "-m", "neuromf.cli", *command(store, two, "updates=4", "devices=2")],
        env=ENVIRONMENT,
        check=True,
        capture_output=True,
    )
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
    a, b = (read_checkpoint(out / "checkpoints" / "last.ckpt") for out in (one, two))
    for key, value in a["averages"]["0.9"].items():
        torch.testing.assert_close(b["averages"]["0.9"][key], value, rtol=1e-3, atol=1e-5)
    assert (two / "model" / "model.safetensors").is_file()


class TestOddData:
    def refused(self, config, tmp_path, said, error=ValueError):
        with pytest.raises(error, match=said):
            fit.run(config, tmp_path / "run")
        assert not (tmp_path / "run" / "model").exists()

    def test_channels(self, tmp_path, store):
        config = tiny_config(store)
        config = replace(config, network=replace(config.network, latent_channels=8))
        self.refused(config, tmp_path, "holds latents of 4 channels.*network.latent_channels=4")

    def test_size(self, tmp_path):
        odd = latent_store(tmp_path / "odd", size=(4, 7, 8, 8))
        self.refused(tiny_config(odd), tmp_path, r"size \(7, 8, 8\).*multiples of 2")

    def test_no_training_latent(self, tmp_path):
        latent_store(tmp_path / "odd", n=4, val=1)
        index = tmp_path / "odd" / "index.json"
        index.write_text(index.read_text().replace('"train"', '"test"'))
        self.refused(tiny_config(tmp_path / "odd"), tmp_path, "no latent in the split 'train'")

    def test_statistics_missing(self, tmp_path):
        odd = latent_store(tmp_path / "odd")
        (odd / "stats.json").unlink()
        self.refused(tiny_config(odd), tmp_path, "no stats.json")

    def test_statistics_with_nan(self, tmp_path):
        odd = latent_store(tmp_path / "odd")
        record = json.loads((odd / "stats.json").read_text())
        (odd / "stats.json").write_text(
            json.dumps(record | {"mean": [math.nan, *record["mean"][1:]]})
        )
        self.refused(
            tiny_config(odd), tmp_path, "stats.json is not what it should be: .*encode. again"
        )

    def test_one_latent_with_nan(self, tmp_path, store):
        """Statistics of whole latents, one latent broken since: it is named, and what was trained is kept."""
        odd = latent_store(tmp_path / "odd", broken=2)
        self.refused(tiny_config(odd, updates=20), tmp_path, "s02 holds NaN or Inf")

    def test_nothing_named(self, tmp_path, store):
        self.refused(tiny_config(""), tmp_path, "latents= names no folder")
        self.refused(tiny_config(tmp_path), tmp_path, "holds no index.json")

    def test_no_gpu(self, tmp_path, store):
        if torch.cuda.is_available():
            pytest.skip("there is one")
        self.refused(tiny_config(store, device="cuda"), tmp_path, "torch sees 0 GPUs")

    def test_a_vae_that_did_not_make_them(self, tmp_path, store):
        self.refused(tiny_config(store, vae="small"), tmp_path, "fingerprint")

    def test_another_configuration(self, tmp_path, store):
        fit.run(tiny_config(store), tmp_path / "run")
        with pytest.raises(ValueError, match="another configuration .*batch"):
            fit.run(tiny_config(store, batch=3), tmp_path / "run", resume=True)

    def test_latents_replaced_by_those_of_another_vae(self, tmp_path, store):
        folder = latent_store(tmp_path / "latents")
        fit.run(tiny_config(folder, updates=2), tmp_path / "run")
        index = folder / "index.json"
        index.write_text(index.read_text().replace("a" * 64, "b" * 64))
        with pytest.raises(ValueError, match="give the latents that the run began with"):
            fit.run(tiny_config(folder, updates=2), tmp_path / "run", resume=True)

    def test_out_of_memory_says_what_to_lower(self, tmp_path, store, monkeypatch):
        def full(*_):
            raise torch.OutOfMemoryError("CUDA out of memory")

        monkeypatch.setattr(MeanFlow, "terms", full)
        self.refused(
            tiny_config(store),
            tmp_path,
            "a smaller batch with a larger accumulate, network.checkpointing",
        )

    def test_a_run_that_diverges(self, tmp_path, store):
        config = tiny_config(store, updates=60, batch=4)
        config = replace(
            config,
            optimiser=replace(config.optimiser, lr=0.5),
            guard=replace(config.guard, factor=3, grace=3),
        )
        self.refused(config, tmp_path, "times its minimum|was not finite in 20 updates")


def test_training_starts_from_a_model(tmp_path, store):
    config = tiny_config(store, updates=3)
    first = fit.run(config, tmp_path / "first")
    fit.run(
        replace(config, start=str(first), updates=1, optimiser=replace(config.optimiser, lr=1e-12)),
        tmp_path / "next",
    )
    a = read_checkpoint(tmp_path / "first" / "checkpoints" / "last.ckpt")["averages"]["0.9"]
    b = read_checkpoint(tmp_path / "next" / "checkpoints" / "last.ckpt")["network"]
    for key, value in a.items():
        torch.testing.assert_close(b[key], value)


def test_without_held_out_latents_nothing_is_evaluated(tmp_path):
    folder = latent_store(tmp_path / "latents", n=6, val=0)
    fit.run(tiny_config(folder, evaluation=Evaluation(every=1), updates=2), tmp_path / "run")
    assert not (tmp_path / "run" / "evaluation.csv").exists()
    assert "nothing is evaluated" in (tmp_path / "run" / "run.log").read_text()


def test_a_run_that_left_out_most_rows_is_given_up(tmp_path, store, monkeypatch):
    """du/dt is NaN: without this the run would go on as flow matching, in silence."""

    def broken(*arguments):
        prediction, head, rate = jvp.two_stream(*arguments)
        return prediction, head, rate * torch.nan

    monkeypatch.setitem(jvp.WAYS, "two-stream", broken)
    monkeypatch.setattr(fit, "preflight", lambda *_: [])
    with pytest.raises(ValueError, match="50 % of the samples up to update 1 gave NaN"):
        fit.run(tiny_config(store), tmp_path / "run")


def test_a_run_that_stopped_early_is_over(tmp_path, store, monkeypatch):
    monkeypatch.setattr(evaluation, "distance", lambda *_: 1.0)
    config = tiny_config(
        store,
        updates=10,
        evaluation=Evaluation(every=1, n=4, projections=8, patience=2, monitor="swd"),
    )
    fit.run(config, tmp_path / "run")
    assert read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["state"]["update"] == 3
    assert load_model(tmp_path / "run").config.updates == 1  # the best
    assert (tmp_path / "run" / "samples" / "update-00000003.png").is_file()
    fit.run(config, tmp_path / "run", resume=True)
    assert read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["state"]["update"] == 3


def test_a_checkpoint_of_another_configuration(tmp_path, store):
    fit.run(tiny_config(store, updates=2), tmp_path / "a")
    fit.run(tiny_config(store, updates=2, seed=1), tmp_path / "b")
    last = tmp_path / "b" / "checkpoints" / "last.ckpt"
    last.unlink()
    last.write_bytes((tmp_path / "a" / "checkpoints" / "last.ckpt").read_bytes())
    with pytest.raises(
        ValueError, match="the checkpoint was started with another configuration .*seed"
    ):
        fit.run(tiny_config(store, updates=2, seed=1), tmp_path / "b", resume=True)
