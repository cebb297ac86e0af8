"""Nothing that only POSIX has is needed: every module is imported, and commands run, without it.

Other packages are imported first: they have branches of their own for Windows.
"""

import subprocess
import sys
from dataclasses import replace

import pytest

from neuromf.runtime.config import to_yaml
from training.support import latent_store, tiny_config

SCRIPT = """
import os, signal

for module, name in ((signal, "SIGUSR1"), (signal, "SIGUSR2"), (os, "preadv"), (os, "pread")):
    delattr(module, name)  # in processes that are started too

if __name__ == "__main__":
    import importlib, multiprocessing.popen_spawn_posix, pkgutil, sys
    import matplotlib.pyplot, monai.networks.nets, nibabel, nilearn.image, pytorch_lightning
    import scipy.stats, SimpleITK, torch._dynamo, typer

    multiprocessing.set_start_method("spawn")
    for name in ("SIGHUP", "SIGALRM", "SIGKILL", "SIGSTOP"):
        delattr(signal, name)
    for name in (
        *("fork", "killpg", "setsid", "getpgid", "uname", "pwrite", "mkfifo", "chown", "nice"),
        *("getuid", "geteuid", "getgid", "sched_getaffinity"),
    ):
        delattr(os, name)
    for name in ("fcntl", "resource", "pwd", "grp", "termios"):
        sys.modules[name] = None  # cannot be imported

    from pytorch_lightning.trainer.connectors import signal_connector

    signal_connector._IS_WINDOWS = True  # it takes its own branch there
    signal.valid_signals = lambda: {{signal.SIGTERM, signal.SIGINT}}

    import neuromf
    from neuromf.cli import main

    for found in pkgutil.walk_packages(neuromf.__path__, "neuromf."):
        importlib.import_module(found.name)
    for words in {commands!r}:
        sys.argv = ["neuromf", *words]
        try:
            main()
        except SystemExit as ended:
            assert not ended.code, (words, ended.code)
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What commands print where all of that is missing; the last one trains."""
    folder = tmp_path_factory.mktemp("windows")
    config = tiny_config(latent_store(folder / "latents"), updates=2, num_workers=1)
    config = replace(config, samples=replace(config.samples, every=0))
    (folder / "train.yaml").write_text(to_yaml(config), encoding="utf-8")
    commands = [
        ["--help"],
        ["keys", "train", "optimiser"],
        ["train", "latents=C:\\scans\\new", "--dry-run"],
        ["train", str(folder / "train.yaml"), f"out={folder / 'run'}"],
    ]
    (folder / "without.py").write_text(SCRIPT.format(commands=commands), encoding="utf-8")

    done = subprocess.run(
        [sys.executable, str(folder / "without.py")],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert not done.returncode, done.stdout + done.stderr
    return done.stdout, folder / "run"


def test_commands_say_what_they_say_elsewhere(said):
    text, _ = said
    assert "generate" in text
    assert "optimiser.lr" in text
    assert "latents: C:\\scans\\new\n" in text


def test_a_training_with_a_spawned_loader_makes_a_model(said):
    _, run = said
    assert (run / "model" / "model.safetensors").is_file()
    assert '"state": "finished"' in (run / "run.json").read_text(encoding="utf-8")
