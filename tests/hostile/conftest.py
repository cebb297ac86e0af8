import shutil
from pathlib import Path

import pytest
import torch

from generation.support import model_config
from neuromf import cli
from neuromf.generation.command import GenerateConfig
from neuromf.generation.command import run as generate
from neuromf.generation.model import save_model
from neuromf.latents.encode import EncodeConfig
from neuromf.latents.encode import run as encode
from neuromf.training import command as fit
from support import TINY, egg, placed, save_nifti, tiny_cohort, tiny_unet, tiny_vae
from training.support import latent_store, tiny_config


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """Every kind of folder that a verb reads, each made by its verb or as its verb makes it."""
    world = tmp_path_factory.mktemp("hostile") / "world"
    scans = world / "scans"
    scans.mkdir(parents=True)
    for number in range(3):
        save_nifti(scans / f"sub-{number}_T1w.nii.gz", egg(placed(spacing=(6, 6, 6)), seed=number))
    tiny_cohort(world / "volumes")
    tiny_vae(world / "vae")
    encode(EncodeConfig(volumes=str(world / "volumes"), vae=str(world / "vae")), world / "latents")
    store = latent_store(world / "store")
    fit.run(tiny_config(store, updates=1), world / "training")
    state = tiny_unet(torch.float32).state_dict()
    save_model(
        world / "model", model_config(world / "vae"), state, "# tiny\n", vae=str(world / "vae")
    )
    generate(GenerateConfig(str(world / "model"), n=3, device="cpu"), world / "samples")
    (world / "pt").mkdir()
    for number in range(4):
        z = torch.randn(4, 4, 4, 4, generator=torch.Generator().manual_seed(number))
        torch.save({"z": z, "metadata": {}}, world / "pt" / f"z{number}.pt")
    assert TINY.latent_channels == 4
    return world


@pytest.fixture
def world(made, tmp_path) -> Path:
    """A copy of it to be spoiled."""
    return Path(shutil.copytree(made, tmp_path / "world", symlinks=True))


@pytest.fixture
def neuromf(monkeypatch, capsys, tmp_path):
    """The command line, called in this process: (exit code, stdout, stderr). A traceback fails the test."""
    monkeypatch.setenv("NEUROMF_HOME", str(tmp_path / "home"))

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["neuromf", *map(str, words)])
        capsys.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return call
