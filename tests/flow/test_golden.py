"""The losses, derivatives and gradients of the official implementations, run in float64 (see tests/data/README.md)."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from neuromf.flow import MeanFlow
from neuromf.flow.dual import value_of
from neuromf.flow.guidance import guided_target

GOLDEN = {
    name: torch.from_numpy(np.asarray(value))
    for name, value in np.load(Path(__file__).parents[1] / "data" / "golden_a.npz").items()
}
CASES = {
    "mf": MeanFlow(predict="u", tangent="conditional"),
    "mf_p075": MeanFlow(predict="u", tangent="conditional", weight_power=0.75, weight_eps=1e-3),
    "imf": MeanFlow(predict="u", tangent="head"),
    "pmf": MeanFlow(predict="x", tangent="head"),
}
INTERVAL = slice(4, 8)  # rows 0-3 have r = t


def weights(case: str) -> dict[str, torch.Tensor]:
    values = {
        name.removeprefix("p_"): value.clone()
        for name, value in GOLDEN.items()
        if name.startswith("p_")
    }
    if case.startswith("mf"):  # no guidance inputs, no head
        values["W1"] = values["W1"][[i for i in range(13) if i not in (8, 9, 10)]]
    return {name: value.requires_grad_() for name, value in values.items()}


def network(case: str, p: dict[str, torch.Tensor]):
    points = GOLDEN[f"{case}__z"]

    def net(z, t, r):
        nearest = (
            (value_of(z).detach().unsqueeze(1) - points).square().sum(-1).argmin(1)
        )  # labels follow their rows
        ones = torch.ones_like(value_of(t)).unsqueeze(1)
        t = t.unsqueeze(1)
        guidance = [] if case.startswith("mf") else [0 * ones, 0 * ones, ones]
        features = torch.cat(
            [z, t, t - r.unsqueeze(1), *guidance, p["emb"][GOLDEN["label"][nearest]]], 1
        )
        hidden = torch.tanh(features @ p["W1"] + p["b1"])
        u = hidden @ p["Wu"] + p["bu"]
        return u if case.startswith("mf") else (u, hidden @ p["Wv"] + p["bv"])

    return net


@pytest.mark.parametrize("way", ["exact", "two-stream"])
@pytest.mark.parametrize("case", CASES)
def test_official_loss_and_gradients(case, way):
    objective, p = replace(CASES[case], jvp=way), weights(case)
    terms = objective.terms(network(case, p), *(GOLDEN[name] for name in ("x", "eps", "t", "r")))
    loss = objective.loss(terms)
    loss.total.backward()
    found = {
        "z": terms.z, "v_target": terms.target, "tangent": terms.tangent, "u": terms.u, "V": terms.compound,
        "loss_u_raw": loss.samples, "loss_u_adp": loss.samples * loss.weight, "loss": loss.total,
        "dudt": terms.dudt[INTERVAL],
    }  # fmt: skip
    found |= {f"grad_{name}": value.grad for name, value in p.items() if value.grad is not None}
    if terms.head is not None:
        found["v_head"] = terms.head
    expected = {
        n.removeprefix(f"{case}__"): v for n, v in GOLDEN.items() if n.startswith(f"{case}__")
    }
    expected["dudt"] = expected["dudt"][INTERVAL]
    compared = set(expected) & set(found)
    assert compared >= {
        "V",
        "dudt",
        "loss",
        "loss_u_adp",
        "grad_W1",
        "grad_Wu",
        "grad_b1",
        "grad_bu",
        "grad_emb",
    }
    for name in compared:
        torch.testing.assert_close(
            found[name], expected[name], rtol=0, atol=1e-9, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_head_part_of_the_official_loss():
    p = weights("imf")
    loss = CASES["imf"].loss(
        CASES["imf"].terms(network("imf", p), *(GOLDEN[n] for n in ("x", "eps", "t", "r")))
    )
    torch.testing.assert_close(loss.raw_head, GOLDEN["imf__loss_v_raw"].mean(), rtol=0, atol=1e-9)


def guided_network(p):
    def net(z, t, r, condition):
        w, first, last = condition["guidance"].to(value_of(t)).unbind(1)
        t = t.unsqueeze(1)
        inputs = torch.stack([1 - 1 / w, first, last], 1)
        label = p["emb"][condition["label"]]
        hidden = torch.tanh(
            torch.cat([z, t, t - r.unsqueeze(1), inputs, label], 1) @ p["W1"] + p["b1"]
        )
        return hidden @ p["Wu"] + p["bu"], hidden @ p["Wv"] + p["bv"]

    return net


@pytest.mark.parametrize("way", ["exact", "two-stream"])
def test_official_guided_loss_and_gradients(way):
    objective, p = MeanFlow(predict="u", tangent="head", jvp=way), weights("imf_cfg")
    x, noise, t, r, label = (GOLDEN[n] for n in ("x", "eps", "t", "r", "label"))
    guidance = torch.stack([GOLDEN[n] for n in ("omega", "g_tmin", "g_tmax")], 1)
    condition = {"label": label, "guidance": guidance}
    null = {"label": torch.full_like(label, 4)}

    net = guided_network(p)
    target, tangent = guided_target(objective, net, x, noise, t, r, condition, null)
    terms = objective.terms(net, x, noise, t, r, condition, target, tangent)
    loss = objective.loss(terms)
    loss.total.backward()

    found = {
        "v_target": terms.target, "tangent": terms.tangent, "u": terms.u, "V": terms.compound,
        "dudt": terms.dudt[INTERVAL], "v_head": terms.head, "loss": loss.total,
        "loss_u_raw": loss.samples,
    }  # fmt: skip
    found |= {f"grad_{name}": value.grad for name, value in p.items()}
    for name, value in found.items():
        expected = GOLDEN[f"imf_cfg__{name}"]
        expected = expected[INTERVAL] if name == "dudt" else expected
        torch.testing.assert_close(
            value, expected, rtol=0, atol=1e-9, msg=lambda m, n=name: f"{n}: {m}"
        )
    assert not torch.allclose(terms.target, noise - x)
