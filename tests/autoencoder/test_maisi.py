import pytest
import torch

from neuromf.autoencoder.load import load_vae
from neuromf.autoencoder.maisi import ENTRIES, PARAMETERS, MaisiNetwork, load_maisi, maisi_from_file
from neuromf.pretrained.statedict import WeightsError


@pytest.fixture(scope="module")
def vae():
    return load_vae("maisi-random")


def test_it_is_the_published_architecture():
    state = MaisiNetwork().vae.state_dict()
    assert len(state) == ENTRIES == 130
    assert sum(v.numel() for v in state.values()) == PARAMETERS == 20_944_897
    assert {"encoder.blocks.0.conv.conv.weight", "quant_conv_mu.conv.weight"} <= set(state)


@pytest.mark.parametrize("size", [(16, 16, 16), (16, 24, 20)])
def test_shapes(vae, size):
    x = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(0))
    z = vae.encode(x)
    assert z.shape == (1, 4, *(n // 4 for n in size))
    assert vae.decode(z).shape == x.shape


def test_encode_takes_the_mean(vae):
    """MONAI's encode_stage_2_inputs draws a sample: two calls differ. Ours must not."""
    x = torch.rand(1, 1, 16, 16, 16)
    mean, sigma = vae.network.vae.encode(x)
    torch.testing.assert_close(vae.encode(x), mean)
    torch.testing.assert_close(vae.posterior(x)[1], sigma)
    drawn = vae.network.vae.encode_stage_2_inputs(x)
    assert not torch.allclose(drawn, mean)
    torch.testing.assert_close(vae.decode(mean), vae.network.vae.decode_stage_2_outputs(mean))


def test_bf16(vae):
    x = torch.rand(1, 1, 16, 16, 16)
    half = load_vae("maisi-random", precision="bfloat16")
    z, z16 = vae.encode(x), half.encode(x)
    assert torch.isfinite(z16).all()
    assert (z16 - z).norm() / z.norm() < 0.05


def test_a_checkpoint_file(vae, tmp_path):
    torch.save(
        {"unet_state_dict": vae.network.vae.state_dict(), "epoch": 1},
        tmp_path / "autoencoder_v1.pt",
    )
    loaded = maisi_from_file(tmp_path / "autoencoder_v1.pt")
    assert loaded.sha256 == vae.sha256
    assert load_vae(str(tmp_path / "autoencoder_v1.pt")).sha256 == vae.sha256


def test_a_wrong_file_names_the_first_keys(vae, tmp_path):
    state = vae.network.vae.state_dict()
    state = {k.replace("quant_conv_mu", "quant_conv"): v for k, v in state.items()}
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(
        WeightsError,
        match=r"2 missing: quant_conv_mu.conv.weight.*2 unexpected: quant_conv.conv.weight",
    ):
        maisi_from_file(tmp_path / "a.pt")


def test_missing_weights_name_the_command(monkeypatch, tmp_path):
    monkeypatch.setenv("NEUROMF_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="neuromf weights get maisi-v1"):
        load_maisi("maisi")
