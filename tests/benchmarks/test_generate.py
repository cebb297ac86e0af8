"""Seconds a volume: the network is asked for what its model says it predicts."""

import argparse

import pytest
import torch

import generate
from generate import Parts, parts, rectified_flow, ways_of
from neuromf.flow.path import to_velocity
from ways import TINY, network_with_weights


class Velocity(torch.nn.Module):
    """The average velocity of a network that predicts data."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, z, t, r):
        return to_velocity(self.network.without_head(z, t, r), z, t, "x")


@torch.no_grad()
def test_both_parametrisations_draw_the_same_latent(monkeypatch):
    monkeypatch.setattr(generate, "STEPS", 3)
    network = network_with_weights(TINY).eval()
    noise = torch.randn(1, 4, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    cpu = torch.device("cpu")
    by_data = Parts(network, None, cpu, "x")
    by_velocity = Parts(Velocity(network), None, cpu, "u")
    one, other = (ways_of(p)["one call"](noise) for p in (by_data, by_velocity))
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    one, other = (rectified_flow(p, noise, 2) for p in (by_data, by_velocity))
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_a_decoder_is_chosen_by_its_name():
    words = ["tiny", "--device", "cpu"]
    chosen = generate.arguments().parse_args(words)
    assert parts(chosen, torch.device("cpu")).vae.name == "small-sharp"
    chosen = generate.arguments().parse_args([*words, "--decoder", "nowhere"])
    with pytest.raises(ValueError, match="vae=nowhere"):
        parts(chosen, torch.device("cpu"))


def test_the_model_says_what_its_network_predicts():
    chosen = argparse.Namespace(
        size="small2mm", model="embedded", decoder="small", precision="float32",
        decode_memory_gb=None,
    )  # fmt: skip
    found = parts(chosen, torch.device("cpu"))
    assert (found.predict, found.solver) == ("u", "average")
