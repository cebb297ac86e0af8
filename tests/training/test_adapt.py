"""A trained model learns a further component: the image part begins as it was, bit for bit."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from neuromf.autoencoder.components import Component, image_of
from neuromf.autoencoder.frozen import LatentSpace
from neuromf.flow import MeanFlow
from neuromf.generation.adapter import load_adapter
from neuromf.generation.model import load_model
from neuromf.latents.statistics import LatentStats, latent_statistics
from neuromf.latents.store import LatentStore, write_index, write_shard
from neuromf.nets.config import LoRA, Precondition
from neuromf.runtime.run import Stopped
from neuromf.training import command
from neuromf.training.adapt import joined_statistics
from neuromf.training.data import Data
from neuromf.training.distillation import Distillation
from neuromf.training.start import first_network
from support import STORE_VAE
from training.support import FLOW, StopAfter, tiny_config

GAUSSIAN = {"precondition": Precondition("gaussian"), "objective": MeanFlow(predict="u")}
MASK = LatentSpace("mask", "c" * 64, 2, 4)


@pytest.fixture(scope="module")
def base(store, tmp_path_factory):
    """A model of images, about the flow of a Gaussian."""
    config = tiny_config(store, updates=2, **GAUSSIAN)
    return command.run(config, tmp_path_factory.mktemp("base") / "run")


@pytest.fixture(scope="module")
def pairs(store, tmp_path_factory):
    """The same latents, brighter, with two more channels."""
    folder = tmp_path_factory.mktemp("pairs")
    images, chance = LatentStore(store), torch.Generator().manual_seed(0)
    components = (*image_of(STORE_VAE), Component("lesion", MASK))
    part = [
        (
            replace(entry, lesion_kind="simulated fcd"),
            torch.cat([images[i] + 1, torch.randn(2, 8, 8, 8, generator=chance)]),
            None,
        )
        for i, entry in enumerate(images.entries)
    ]
    written = write_shard(folder, "shard-00000", components, part)
    write_index(folder, components, (6, 8, 8, 8), written, sigma=False)
    latent_statistics(LatentStore(folder)).save(folder)
    return folder


def adapting(pairs, base, **changes):
    values = {"adapt": str(base), "lora": LoRA(rank=4), "updates": 2, **GAUSSIAN} | changes
    config = tiny_config(pairs, **values)
    return replace(config, network=replace(config.network, latent_channels=6))


@pytest.mark.parametrize("lora", [LoRA(rank=4), LoRA(rank=4, targets="convolutions"), LoRA(rank=0)])
def test_the_image_part_begins_as_the_model(pairs, base, lora):
    config = adapting(pairs, base, lora=lora)
    data, model = Data.read(config), load_model(base)
    network = first_network(config, data)
    z, t, r = torch.randn(2, 6, 8, 8, 8), torch.tensor([0.8, 0.4]), torch.tensor([0.1, 0.4])
    found, expected = network(z, t, r), model.network(z[:, :4].contiguous(), t, r)
    if lora.adapts:
        assert torch.equal(found[:, :4], expected)
    else:  # one convolution of all channels sums in another order
        torch.testing.assert_close(found[:, :4], expected, rtol=1e-5, atol=1e-5)
    assert data.train.stats.mean[:4] == model.config.stats.mean
    frozen = {n for n, p in network.named_parameters() if not p.requires_grad}
    assert bool(frozen) == lora.adapts


def test_base_weights_stay_and_the_adapter_alone_gives_the_same_brain(pairs, base, tmp_path):
    model = command.run(adapting(pairs, base, updates=4), tmp_path / "run")
    whole, plain = load_model(model), load_model(base)
    joined = load_adapter(plain, tmp_path / "run" / "adapter")
    z, t, r = torch.randn(1, 6, 8, 8, 8), torch.ones(1), torch.zeros(1)
    torch.testing.assert_close(
        joined.network(z, t, r), whole.network(z, t, r), rtol=1e-5, atol=1e-5
    )
    assert [c.name for c in joined.config.components] == ["image", "lesion"]
    assert joined.config.lesions == whole.config.lesions == "simulated fcd"
    assert "| lesions | simulated fcd: of no patient |" in (model / "README.md").read_text()
    assert not plain.config.lesions
    assert type(joined.network.network.body.conv_in.conv) is torch.nn.Conv3d

    held = load_file(tmp_path / "run" / "adapter" / "adapter.safetensors")
    assert all(k.rsplit(".", 1)[-1] in ("lora_down", "lora_up", "grown", "grown_bias")
               or k.startswith("base.flows.1.") for k in held)  # fmt: skip
    up = [v for k, v in held.items() if k.endswith("lora_up")]
    assert up
    assert all(v.abs().max() > 0 for v in up)  # it has learned


def test_a_run_resumes_bit_for_bit(pairs, base, tmp_path, monkeypatch):
    config = adapting(pairs, base, updates=4)
    command.run(config, tmp_path / "whole")
    monkeypatch.setattr(StopAfter, "update", 2)
    monkeypatch.setattr(command, "Saver", StopAfter)
    with pytest.raises(Stopped):
        command.run(config, tmp_path / "parts", resume=True)
    monkeypatch.undo()
    command.run(config, tmp_path / "parts", resume=True)
    first = load_model(tmp_path / "whole").network.state_dict()
    second = load_model(tmp_path / "parts").network.state_dict()
    assert all(torch.equal(v, second[k]) for k, v in first.items())


def test_an_adapter_on_another_model_is_refused(pairs, base, store, tmp_path):
    command.run(adapting(pairs, base, updates=1), tmp_path / "run")
    other = command.run(tiny_config(store, updates=1, seed=3, **GAUSSIAN), tmp_path / "other")
    with pytest.raises(ValueError, match=r"adapts the model .* give model="):
        load_adapter(load_model(other), tmp_path / "run" / "adapter")
    with pytest.raises(FileNotFoundError, match=r"no adapter\.json"):
        load_adapter(load_model(base), tmp_path)


def test_what_cannot_be_adapted_is_refused_before_anything_is_made(pairs, base, store, tmp_path):
    def refused(match, config):
        with pytest.raises(ValueError, match=match):
            command.run(config, tmp_path / "run")
        assert not (tmp_path / "run").exists()

    refused(r"network.latent_channels=6", tiny_config(pairs, adapt=str(base), **GAUSSIAN))
    refused("no model to adapt", tiny_config(store, lora=LoRA(rank=4)))
    refused("lora.rank is 64", adapting(pairs, base, lora=LoRA(rank=64)))
    refused("latent_scale=", adapting(pairs, base, latent_scale=0.9))
    refused("this run has", adapting(pairs, base, precondition=Precondition("skip")))


def test_statistics_of_known_channels_are_the_models(pairs, store):
    own, base = LatentStats.load(pairs), LatentStats.load(store)
    found = joined_statistics(own, base)
    assert found.mean == base.mean + own.mean[4:]
    assert found.std == base.std + own.std[4:]
    with pytest.raises(ValueError, match="same preset"):
        joined_statistics(replace(own, shape=(6, 4, 8, 8)), base)


def test_settings_that_contradict_each_other(store):
    with pytest.raises(ValueError, match="both given"):
        tiny_config(store, adapt="a", start="b")


def test_a_student_takes_over_what_its_adapted_teacher_knows(pairs, store, tmp_path):
    """Normalisation, and conditions with their ranges, though the pairs' own are others."""
    flow = {"precondition": Precondition("gaussian"), **FLOW}
    table = tmp_path / "people.csv"
    table.write_text("name,age\n" + "".join(f"s{i:02d},{20 + i}\n" for i in range(24)))
    ages = {"conditions": {"age": "number"}, "table": str(table)}
    base = command.run(tiny_config(store, updates=1, **ages, **flow), tmp_path / "base")
    size = {"conditions": {"lesion_ml": "number"}}
    sizes = tmp_path / "sizes.csv"
    sizes.write_text("name,lesion_ml\n" + "".join(f"s{i:02d},{i}\n" for i in range(24)))
    config = adapting(pairs, base, updates=1, **(flow | size | {"table": str(sizes)}))
    teacher = command.run(config, tmp_path / "teacher")
    known = load_model(teacher).config
    assert [v.told for v in known.conditions.variables] == ["20 to 37", "0 to 17"]

    student = tiny_config(
        pairs, updates=1, teacher=str(teacher), distillation=Distillation(target="trajectory"),
        objective=MeanFlow(predict="u"), precondition=Precondition("gaussian"),
    )  # fmt: skip
    student = replace(student, network=replace(student.network, latent_channels=6))
    found = load_model(command.run(student, tmp_path / "student")).config
    assert found.conditions == known.conditions
    assert (found.stats.mean, found.stats.std) == (known.stats.mean, known.stats.std)
    assert found.solver == "average"
