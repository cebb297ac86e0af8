import re

import pytest

from neuromf import doctor
from neuromf.latents.store import LatentStore
from neuromf.runtime.config import ConfigError, to_yaml
from training.support import latent_store, tiny_config


def test_report_names_machine_extras_tools_and_every_verb(monkeypatch):
    text = doctor.report(["toy"])
    for word in (
        "CPU",
        "memory",
        "GPU",
        "torch",
        *(f"[{extra}]" for extra in doctor.EXTRAS),
        *doctor.TOOLS,
    ):
        assert word in text
    assert "toy        will work" in text
    monkeypatch.setattr(doctor, "CORE", ("torch", "no_such_module"))
    assert "toy        will not work: no_such_module missing" in doctor.report(["toy"])


def test_an_apple_gpu_is_named(monkeypatch):
    monkeypatch.setattr(doctor, "has_mps", lambda: True)
    monkeypatch.setattr(doctor.torch.mps, "recommended_max_memory", lambda: 12 * 2**30)
    assert "GPU mps    Apple, 12.0 GiB" in doctor.report(["toy"])


def test_missing_modules_are_found():
    assert doctor.missing(("torch", "no_such_module")) == ["no_such_module"]


def test_what_of_a_training_fits(tmp_path):
    store = latent_store(tmp_path / "latents")
    path = tmp_path / "tiny.yaml"
    path.write_text(to_yaml(tiny_config(store, batch=2, accumulate=3)))
    text = doctor.training_report([str(path)])
    shape = " x ".join(str(n) for n in LatentStore(store).shape)
    assert re.search(rf"latents +{shape}, \d+ subjects", text)
    assert re.search(r"checkpointing +batch 1 +batch 2 +batch 3 +batch 6 +largest", text)
    assert re.search(r"batch=2 accumulate=3 network.checkpointing=false needs .* it fits", text)
    assert "proposal   batch=6 accumulate=1 network.checkpointing=false" in text
    assert "not counted" in text  # the VAE of these latents is not at hand


def test_latents_that_are_not_made_yet(monkeypatch):
    monkeypatch.setattr(doctor, "free_gb", lambda device: 4.0)
    text = doctor.training_report(["preset=brain192"], doctor.read_shape("4,48,48,48"))
    assert "178.6 million parameters" in text
    assert "it does not fit" in text
    assert re.search(r"proposal   none: a single latent needs [5-7]\.\d GB free", text)


def test_a_shape_is_four_numbers():
    assert doctor.read_shape("4x48x48x40") == (4, 48, 48, 40)
    assert doctor.read_shape("") == ()
    for text in ("4,48,48", "4,48,48,0", "a,b,c,d", "4,-8,8,8"):
        with pytest.raises(ConfigError, match="channels and three sizes"):
            doctor.read_shape(text)
