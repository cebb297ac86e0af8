"""MAISI's flow as a model of ours: the same velocities and samples as MONAI's own code."""

from dataclasses import replace

import pytest
import torch

from neuromf.fetch import fetch
from neuromf.generation import maisi
from neuromf.generation.generator import Generator
from neuromf.generation.maisi import (
    CODES,
    ImportMaisiConfig,
    check_flow,
    contrasts,
    folded,
    model_config,
    read_flow,
    their_network,
    translated,
)
from neuromf.generation.model import Model, load_model
from neuromf.nets.config import BRAIN, UNetConfig
from neuromf.nets.unet import DualTimeUNet
from neuromf.pretrained.statedict import WeightsError, loaded
from support import randomised

TINY = UNetConfig(
    channels=(32, 64), attention=(False, True), attention_head_channels=(0, 32), res_blocks=1
)
SHAPE, SPACING, SCALE = (4, 4, 6, 4), (0.8, 1.0, 1.2), 0.9


@pytest.fixture(scope="module")
def theirs():
    torch.manual_seed(0)
    return randomised(their_network(TINY)).eval()


@pytest.fixture(scope="module")
def ours(theirs, tmp_path_factory):
    state = folded(theirs.state_dict(), TINY, SPACING)
    network = loaded(lambda: DualTimeUNet(translated(TINY), contrasts()), state, "folded").eval()
    config = model_config(translated(TINY), SHAPE, SPACING, SCALE)
    return Model(config, network, "", tmp_path_factory.mktemp("ours"))


def spacings(n):
    return 100 * torch.tensor([SPACING]).repeat(n, 1)


@pytest.mark.parametrize("contrast", ["T1w", "FLAIR", "T2w-head", ""])
def test_the_velocity_is_theirs(theirs, ours, contrast):
    """With the sign turned, 1000 t, their class and the spacing; and for every r."""
    z, code = torch.randn(3, *SHAPE), torch.tensor([CODES.get(contrast, 0)] * 3)
    condition = contrasts().condition([{"contrast": contrast}] * 3)
    for time in (1.0, 0.77, 0.3, 0.01):
        t = torch.full((3,), time)
        with torch.no_grad():
            v = -theirs(z, 1000 * t, class_labels=code, spacing_tensor=spacings(3))
            for r in (t, 0.5 * t, 0 * t):
                found = ours.network(z, t, r, condition)
                torch.testing.assert_close(found, v, rtol=0, atol=1e-5 * float(v.abs().max()))


def test_contrast_and_spacing_matter(theirs, ours):
    """Else their equality would say nothing of them."""
    z, t = torch.randn(1, *SHAPE), torch.ones(1)
    known = contrasts()
    one, other = (
        ours.network(z, t, t, known.condition([{"contrast": c}])) for c in ("T1w", "FLAIR")
    )
    assert (one - other).abs().max() > 1e-3
    coarse = folded(theirs.state_dict(), TINY, (3.0, 3.0, 3.0))
    network = loaded(lambda: DualTimeUNet(translated(TINY), known), coarse, "coarse")
    assert (network(z, t, t, known.condition([{"contrast": "T1w"}])) - one).abs().max() > 1e-3


@pytest.mark.parametrize("steps", [1, 6])
def test_guided_samples_are_those_of_monai(theirs, ours, steps):
    """Their scheduler, and their guidance: class 0 beside the class that is wanted."""
    from monai.networks.schedulers import RFlowScheduler

    scheduler = RFlowScheduler(
        1000, use_discrete_timesteps=False, use_timestep_transform=True, scale=1.4
    )
    scheduler.set_timesteps(steps, input_img_size_numel=torch.tensor(SHAPE[1:]).prod())
    generator = Generator(ours, device="cpu")
    z = generator.noise(3)
    codes = torch.tensor([CODES["T1w"], 0])
    following = torch.cat([scheduler.timesteps[1:], torch.zeros(1, dtype=torch.float16)])
    for t, after in zip(scheduler.timesteps, following, strict=True):
        with torch.no_grad():
            both = theirs(
                torch.cat([z, z]), t.float().repeat(2), class_labels=codes,
                spacing_tensor=spacings(2),
            )  # fmt: skip
        given, nothing = both.chunk(2)
        z, _ = scheduler.step(nothing + 2 * (given - nothing), t, z, after)

    asked = generator.asked({"contrast": "T1w"}, guidance=2.0)
    found = generator.latent(3, steps, asked=asked)
    torch.testing.assert_close(found, z / SCALE, rtol=0, atol=1e-5 * float(z.abs().max()))


def test_the_true_architecture_has_the_published_size():
    """NV-Generate-CTMR: 180,500,868 parameters in 435 tensors; all but the spacing's are ours."""
    with torch.device("meta"):
        network = their_network(BRAIN)
        assert sum(p.numel() for p in network.parameters()) == 180_500_868
        assert len(network.state_dict()) == 435
        own = DualTimeUNet(translated(BRAIN), contrasts())
        state = network.state_dict()
    assert {k.removeprefix("body.") for k in own.state_dict() if k.startswith("body.")} == {
        k for k in state if not k.startswith(("spacing_layer.", "class_embedding."))
    }


def published(theirs, path, **changes):
    """A file as NVIDIA's: the state, the scale as MONAI's tensor, and what a training keeps."""
    from monai.data.meta_tensor import MetaTensor

    content = {"unet_state_dict": theirs.state_dict(), "epoch": 3, "loss": 0.1,
               "scale_factor": MetaTensor(torch.tensor(SCALE))}  # fmt: skip
    torch.save({k: v for k, v in (content | changes).items() if v is not None}, path)
    return path


@pytest.fixture
def small(monkeypatch, tmp_path):
    """The sizes of a small network in place of the true ones, and a cache of its own."""
    monkeypatch.setattr(maisi, "BRAIN", TINY)
    monkeypatch.setenv("NEUROMF_HOME", str(tmp_path / "home"))


def test_a_fetched_flow_is_a_model_by_its_name(theirs, ours, small, tmp_path):
    with pytest.raises(FileNotFoundError, match="neuromf weights get maisi-brain"):
        load_model("maisi-brain")
    fetch("maisi-brain", published(theirs, tmp_path / "flow.pt"))
    model = load_model("maisi-brain")
    assert model.config.stats.std == pytest.approx((1 / SCALE,) * 4)
    assert (model.config.shape, model.config.solver) == ((4, 48, 48, 48), "rflow")
    assert model.config.conditions == contrasts()
    assert "NVIDIA Open Model License" in (model.folder / "README.md").read_text()

    words = ImportMaisiConfig(SPACING, (16, 24, 16))
    folder = maisi.run(words, tmp_path / "own")
    state = load_model(folder).network.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in ours.network.state_dict().items())


def test_what_is_no_flow_of_theirs_is_refused(theirs, small, tmp_path):
    with pytest.raises(WeightsError, match="holds no scale_factor"):
        read_flow(published(theirs, tmp_path / "a.pt", scale_factor=None))
    state = read_flow(published(theirs, tmp_path / "b.pt"))
    check_flow(state, "b.pt")
    with pytest.raises(WeightsError, match=r"1 missing: conv_in.conv.bias"):
        check_flow({k: v for k, v in state.items() if k != "conv_in.conv.bias"}, "b.pt")
    with pytest.raises(WeightsError, match="a number above 0"):
        check_flow(state | {"scale_factor": torch.tensor(0.0)}, "b.pt")
    for words, message in (
        ({"spacing": (1.0, 0.0, 1.0)}, "spacing is"),
        ({"size": (192, 190, 192)}, "multiples of 8"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(ImportMaisiConfig(), **words)
