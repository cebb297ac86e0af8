"""FID of decoded samples while training (P4h): identical sets, shifts, features kept, v head, baseline, summary."""

import json
from dataclasses import replace

import pytest
import torch

from neuromf.autoencoder.load import load_vae
from neuromf.latents.dataset import LatentDataset
from neuromf.latents.store import LatentStore
from neuromf.training import command as fit
from neuromf.training.checkpoint import read_checkpoint
from neuromf.training.config import Evaluation
from neuromf.training.decoded_fid import DecodedFid, packed, unpacked
from training.support import tiny_config

CPU = torch.device("cpu")
LOOKS = Evaluation(every=4, n=4, projections=8, fid_every=4, extractor="random-3d")


@pytest.fixture
def judge(decodable, vae_folder, tmp_path):
    config = tiny_config(decodable, vae=str(vae_folder), evaluation=LOOKS)
    held_out = LatentDataset(
        LatentStore(str(decodable)),
        "val",
        LatentDataset(LatentStore(str(decodable)), "train").stats,
    )
    real = torch.stack([held_out[i].latent for i in range(len(held_out))])
    return DecodedFid(tmp_path, config, held_out.stats, load_vae(str(vae_folder)), real, CPU)


def test_identical_sets_are_0_apart(judge):
    """P4h-T1."""
    assert judge.fid(judge.real) == pytest.approx(0, abs=1e-5)


def test_it_grows_with_a_shift(judge):
    """P4h-T2."""
    found = [judge.fid(judge.real + shift) for shift in (0.0, 0.3, 1.0)]
    assert found == sorted(found)
    assert found[2] > 3 * found[1]


def test_the_real_side_is_computed_once(judge, monkeypatch):
    """P4h-T3: also by a later start of the run."""
    first = judge.fid(judge.real[:3])
    assert len(list(judge.folder.glob("real-*.safetensors"))) == 1
    decoded = []
    shared = (judge.folder.parent, tiny_config("x", evaluation=LOOKS), judge.stats, judge.vae)
    again = DecodedFid(*shared, judge.real, CPU)
    whole = again.gaussians
    monkeypatch.setattr(again, "gaussians", lambda z: decoded.append(len(z)) or whole(z))
    assert again.fid(judge.real[:3]) == pytest.approx(first, rel=1e-9)
    assert decoded == [3]  # the samples alone
    other = DecodedFid(*shared, judge.real + 1, CPU)
    other.real_gaussians()
    assert len(list(judge.folder.glob("real-*.safetensors"))) == 2  # other latents are another file


def test_gaussians_are_kept_exactly(judge):
    found = judge.gaussians(judge.real)
    back = unpacked({k: v.clone() for k, v in packed(found).items()}, judge.measure.keys)
    for key, g in found.items():
        assert torch.equal(back[key].mean, g.mean)
        assert torch.equal(back[key].covariance, g.covariance)
        assert back[key].count == g.count


@pytest.mark.parametrize("head", [0, 1])
def test_a_training_is_judged(decodable, vae_folder, tmp_path, head, capsys):
    """P4h-T5, T6, T7: with a v head too; a baseline after the first epoch; a summary at the end."""
    config = tiny_config(decodable, vae=str(vae_folder), updates=12, evaluation=LOOKS)
    config = replace(config, network=replace(config.network, v_head_blocks=head))
    fit.run(config, tmp_path / "run")
    looks = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["state"]["evaluations"]
    assert [look["update"] for look in looks] == [
        4,
        8,
        9,
        12,
    ]  # 18 latents in batches of 2: an epoch is 9 updates
    assert all(look["fid"] > 0 for look in looks)
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert found["monitor"] == "v_linear"
    assert found["baseline"] == looks[0]
    assert found["last"] == looks[-1]
    assert found["best"]["v_linear"] == min(look["v_linear"] for look in looks)
    assert "v-loss on held-out latents over a linear filter's:" in capsys.readouterr().out


def test_the_first_look_is_after_the_first_epoch(decodable, tmp_path):
    """P4h-T6: however rarely a run is looked at."""
    config = tiny_config(
        decodable, updates=12, evaluation=Evaluation(every=100, n=4, projections=8)
    )
    fit.run(config, tmp_path / "run")
    looks = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["state"]["evaluations"]
    assert [look["update"] for look in looks] == [9, 12]


def test_patience_by_fid_ends_a_run(decodable, vae_folder, tmp_path, monkeypatch):
    """P4h-T4: the monitored distance decides, and its best weights are exported."""
    found = iter([3.0, 1.0, 2.0, 2.5, 2.0, 0.1])
    monkeypatch.setattr(DecodedFid, "fid", lambda *_: next(found))
    looks = replace(LOOKS, every=2, fid_every=2, monitor="fid", patience=2)
    fit.run(
        tiny_config(decodable, vae=str(vae_folder), updates=40, evaluation=looks), tmp_path / "run"
    )
    folder = tmp_path / "run" / "checkpoints"
    assert read_checkpoint(folder / "last.ckpt")["state"]["update"] == 8
    assert read_checkpoint(folder / "best.ckpt")["state"]["update"] == 4
    assert json.loads((tmp_path / "run" / "evaluation.json").read_text())["stopped_early"]


def test_nan_is_infinitely_far(judge):
    assert judge.fid(torch.full_like(judge.real, torch.nan)) == float("inf")


def test_settings_that_do_not_go_together(store, decodable, vae_folder, tmp_path):
    with pytest.raises(ValueError, match="fid_every a multiple of every"):
        Evaluation(every=10, fid_every=15)
    with pytest.raises(ValueError, match="monitor=fid needs fid_every=10"):
        Evaluation(every=10, monitor="fid")
    with pytest.raises(ValueError, match="every is 0, fid_every 4"):
        Evaluation(every=0, fid_every=4)
    with pytest.raises(ValueError, match="needs 2 samples and 2 held-out latents"):
        fit.run(
            tiny_config(decodable, vae=str(vae_folder), evaluation=replace(LOOKS, n=1)),
            tmp_path / "one",
        )
    with pytest.raises(ValueError, match="fid_every needs the VAE"):
        fit.run(tiny_config(store, evaluation=LOOKS), tmp_path / "run")
