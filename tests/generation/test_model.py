"""A model folder: what is saved is loaded, to the bit; everything else is refused in words."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

import neuromf
from generation.support import model_config
from neuromf.autoencoder.load import load_vae
from neuromf.generation.model import load_model, refuse_another, save_model
from neuromf.pretrained.statedict import WeightsError
from support import tiny_decoder, tiny_unet, tiny_vae


def test_saved_is_loaded(model_folder, vae_folder):
    model = load_model(model_folder)
    assert model.config == model_config(vae_folder)
    for key, value in tiny_unet(torch.float32).state_dict().items():
        assert torch.equal(model.network.state_dict()[key], value)
    assert not any(p.requires_grad for p in model.network.parameters())
    assert model.load_vae("cpu").space == model.config.vae


def test_half_the_size(tmp_path, model_folder, vae_folder):
    save_model(
        tmp_path / "half",
        model_config(vae_folder),
        tiny_unet(torch.float32).state_dict(),
        "",
        half=True,
    )
    sizes = [(f / "model.safetensors").stat().st_size for f in (tmp_path / "half", model_folder)]
    assert sizes[0] < 0.55 * sizes[1]
    assert load_model(tmp_path / "half").network.body.conv_in.conv.weight.dtype == torch.float32


def copied(model_folder, tmp_path):
    return shutil.copytree(model_folder, tmp_path / "copy")


def test_a_training_folder_stands_for_its_model(tmp_path, model_folder):
    shutil.copytree(model_folder, tmp_path / "run" / "model")
    assert load_model(tmp_path / "run").folder == tmp_path / "run" / "model"


def test_weights_of_another_model(tmp_path, model_folder):
    folder = copied(model_folder, tmp_path)
    record = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(record | {"sha256": "0" * 64}))
    with pytest.raises(WeightsError, match="different networks"):
        load_model(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "small-vae"}, "kind 'small-vae'"),
        ({"format": 9}, "format 9"),
        ({"stats": {}}, "missing required field `mean` at `stats`"),
    ],
)
def test_another_kind_of_folder(tmp_path, model_folder, change, said):
    folder = copied(model_folder, tmp_path)
    record = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(record | change))
    with pytest.raises(ValueError, match=said):
        load_model(folder)


def test_damaged_files(tmp_path, model_folder):
    folder = copied(model_folder, tmp_path)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="not readable"):
        load_model(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match="copy the folder again"):
        load_model(folder)
    (folder / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match="no folder with config.json"):
        load_model(folder)


def test_without_a_card_it_still_draws(tmp_path, model_folder):
    folder = copied(model_folder, tmp_path)
    (folder / "README.md").unlink()
    assert neuromf.load(folder).generate(1)[0].voxels.shape == (16, 24, 16)


def test_another_vae(tmp_path, model_folder):
    other = tiny_vae(tmp_path / "other", seed=1)
    with pytest.raises(ValueError, match="the model was trained with tiny"):
        load_model(model_folder).load_vae("cpu", name=str(other))


def test_a_decoder_by_itself(tmp_path, model_folder, vae_folder):
    own = load_vae(str(vae_folder))
    fast = load_model(model_folder).load_vae("cpu", name=str(tiny_decoder(tmp_path / "a", own)))
    assert fast.space == own.space
    assert "encoder" not in str(fast.network.state_dict().keys())
    other = load_vae(str(tiny_vae(tmp_path / "other", seed=1)))
    with pytest.raises(ValueError, match="VAE fast has the fingerprint .* was trained with tiny"):
        load_model(model_folder).load_vae("cpu", name=str(tiny_decoder(tmp_path / "b", other)))


def test_names_that_are_nothing(monkeypatch):
    for name in ("nowhere", "./a/b", "a/b/c"):
        with pytest.raises(FileNotFoundError, match="embedded, or owner/name"):
            load_model(name)


def test_from_the_hub(model_folder, monkeypatch):
    """owner/name is asked of the hub, for a model's files alone; a stand-in gives a folder."""
    hub = pytest.importorskip("huggingface_hub")
    asked = {}

    def given(name, allow_patterns):
        asked[name] = allow_patterns
        return str(model_folder)

    monkeypatch.setattr(hub, "snapshot_download", given)
    assert load_model("someone/brains").config.name == "tiny"
    assert "model.safetensors" in asked["someone/brains"]

    def absent(name, allow_patterns):
        raise OSError("offline")

    monkeypatch.setattr(hub, "snapshot_download", absent)
    with pytest.raises(FileNotFoundError, match="the hub did not give it .offline"):
        load_model("someone/brains")


def test_a_training_that_has_not_ended(tmp_path):
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="its training has not ended; .neuromf export run="):
        load_model(tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scale": 0}, "scale 0.0"),
        ({"scale": -1.0}, "scale -1.0"),
        ({"spacing": [2.0, 0.0, 2.0]}, "spacing"),
        ({"predict": "w"}, "at `predict`"),
        ({"network": {"channels": [10**9, 10**9]}}, "config.json|model.safetensors"),
    ],
)
def test_a_configuration_that_would_draw_nothing_is_refused(tmp_path, model_folder, change, said):
    folder = copied(model_folder, tmp_path)
    record = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(record | change))
    with pytest.raises(ValueError, match=said):
        load_model(folder)


def test_statistics_without_spread_are_refused(tmp_path, model_folder):
    folder = copied(model_folder, tmp_path)
    record = json.loads((folder / "config.json").read_text())
    for std in ([0.0, 1, 1, 1], [1.0, 1, 1]):
        record["stats"]["std"] = std
        (folder / "config.json").write_text(json.dumps(record))
        with pytest.raises(ValueError, match=r"config.json .* at `stats`"):
            load_model(folder)


def test_a_model_that_changed_under_its_name_is_refused(tmp_path, model_folder):
    known = tmp_path / "home" / "hub.json"
    refuse_another("lab/brains", model_folder, known)
    written = known.stat().st_mtime_ns
    refuse_another("lab/brains", model_folder, known)
    assert known.stat().st_mtime_ns == written  # as on a home that cannot be written to
    other = copied(model_folder, tmp_path)
    record = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(record | {"sha256": "0" * 64}))
    with pytest.raises(WeightsError, match="was .* when it was first used, and is 0000"):
        refuse_another("lab/brains", other, known)
    refuse_another("lab/brains@v2", other, known)


def test_a_folder_of_version_0_1_is_read(model_folder, tmp_path):
    """One VAE with the decoder in its fingerprint, and keys by their earlier names."""
    shutil.copytree(model_folder, tmp_path / "old")
    path = tmp_path / "old" / "config.json"
    record = json.loads(path.read_text())
    now = load_model(tmp_path / "old")
    network = record["network"]
    network["head_channels"] = network.pop("attention_head_channels")
    network["head_blocks"] = network.pop("v_head_blocks")
    vae = now.load_vae("cpu")
    record |= {"format": 1, "scale": record.pop("latent_scale")}
    record["vae"] = {"name": vae.name, "sha256": vae.sha256, "channels": 4, "factor": 4}
    del record["components"]
    path.write_text(json.dumps(record))

    old = load_model(tmp_path / "old")
    assert old.config.vae.of == "vae"
    assert replace(old.config, components=now.config.components) == now.config
    assert old.load_vae("cpu").sha256 == vae.sha256
