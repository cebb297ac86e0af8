"""P3-T13, P4: stored latents of prepared volumes through the network, and the verbs in a row."""

import nibabel as nib
import torch

from neuromf import cli
from neuromf.latents import LatentDataset, LatentStore
from neuromf.latents.encode import EncodeConfig
from neuromf.latents.encode import run as encode
from support import tiny_cohort, tiny_unet


def test_five_stored_latents_pass_the_network(tmp_path):
    encode(
        EncodeConfig(str(tiny_cohort(tmp_path / "volumes", n=8, shape=(24, 24, 24)))),
        tmp_path / "latents",
    )
    latents = LatentDataset(LatentStore(tmp_path / "latents"), "train")
    x = torch.stack([latents[i].latent for i in range(4)] + [latents[0].latent])
    out = tiny_unet(torch.float32)(x, torch.full((5,), 0.7), torch.full((5,), 0.2))
    assert out.shape == x.shape == (5, 4, 6, 6, 6)
    assert torch.isfinite(out).all()


def test_the_verbs_in_a_row(tmp_path, monkeypatch):
    """volumes → latents → model → brains, as typed."""
    monkeypatch.chdir(tmp_path)
    tiny_cohort(tmp_path / "volumes", shape=(24, 24, 24))
    network = "channels: [16, 32], attention: [false, true], attention_head_channels: [0, 16], res_blocks: 1, norm_groups: 4"
    (tmp_path / "net.yaml").write_text(f"network: {{{network}}}\n")
    for line in (
        "encode volumes=volumes out=latents",
        "train net.yaml latents=latents updates=3 batch=2 ema=[0.5] samples.n=1 samples.nfe=[1] device=cpu out=run",
        "export run=run out=model",
        "generate model=model n=2 nfe=2 device=cpu out=samples",
    ):
        verb, *words = line.split()
        cli.run_verb(verb, cli.VERBS[verb], words)
    image = nib.load("samples/sub-00001/anat/sub-00001_desc-generated_T1w.nii.gz")
    assert image.shape == (24, 24, 24)
    assert (tmp_path / "model" / "README.md").is_file()


def test_resume_without_words_takes_the_folders_configuration(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = "out=run"
    words = [
        "network.channels=[16,32]",
        "network.attention=[false,true]",
        "network.attention_head_channels=[0,16]",
    ]
    words += [
        "network.res_blocks=1",
        "network.norm_groups=4",
        "updates=2",
        "samples.n=1",
        "samples.nfe=[1]",
    ]
    cli.run_verb("train", cli.VERBS["train"], [f"latents={store}", out, "device=cpu", *words])
    (tmp_path / "run" / "model" / "config.json").unlink()
    cli.run_verb("train", cli.VERBS["train"], [out], resume=True)
    assert (tmp_path / "run" / "model" / "config.json").is_file()
