import copy

import torch
from torch import nn

from neuromf.nets.muon import NARROW, Muon, matrices, orthogonalised
from support import tiny_unet


def test_singular_values_become_one_and_directions_stay():
    generator = torch.Generator().manual_seed(0)
    for shape in ((24, 60), (60, 24)):
        matrix = torch.randn(shape, generator=generator)
        found = orthogonalised(matrix)
        values = torch.linalg.svdvals(found)
        assert 0.6 < float(values.min()) < float(values.max()) < 1.2
        u, _, v = torch.linalg.svd(matrix, full_matrices=False)
        aligned = u.mT @ found @ v.mT  # diagonal where the singular vectors are kept
        assert float((aligned - torch.diag(aligned.diag())).abs().max()) < 1e-4


def test_an_update_has_the_size_of_adamws():
    layer = nn.Linear(40, 64, bias=False)
    before = layer.weight.detach().clone()
    optimiser = Muon([layer.weight], [], lr=1e-3)
    layer.weight.grad = torch.randn_like(layer.weight)
    optimiser.step()
    rms = float((layer.weight.detach() - before).square().mean().sqrt())
    assert 0.7 * 0.2e-3 < rms < 1.2 * 0.2e-3  # √(40 singular values of about 1 / 40 columns)


def test_what_is_no_matrix_takes_adamws_step_exactly():
    one, two = nn.Linear(30, 20), nn.Linear(30, 20)
    two.load_state_dict(one.state_dict())
    muon = Muon([one.weight], [one.bias], lr=1e-2)
    adamw = torch.optim.AdamW([two.bias], lr=1e-2, betas=(0.9, 0.95), weight_decay=0.0)
    for step in range(3):
        for layer in (one, two):
            layer.zero_grad()
            layer(torch.full((4, 30), 0.1 * step)).square().sum().backward()
        two.bias.grad = one.bias.grad.clone()
        muon.step()
        adamw.step()
    assert torch.equal(one.bias, two.bias)
    assert not torch.equal(one.weight, two.weight)


def test_a_skipped_update_moves_nothing():
    layer = nn.Linear(30, 20)
    before = [p.detach().clone() for p in layer.parameters()]
    Muon([layer.weight], [layer.bias], lr=1e-2).step()
    assert all(torch.equal(a, b) for a, b in zip(before, layer.parameters(), strict=True))


def test_state_is_saved_and_taken_up_to_the_bit():
    def made():
        torch.manual_seed(0)
        layer = nn.Linear(30, 20)
        return layer, Muon([layer.weight], [layer.bias], lr=1e-2)

    def steps(layer, optimiser, count):
        for i in range(count):
            layer.zero_grad()
            generator = torch.Generator().manual_seed(i)
            layer(torch.randn(4, 30, generator=generator)).square().sum().backward()
            optimiser.step()

    whole, optimiser = made()
    steps(whole, optimiser, 2)
    half, saved = made()
    half.load_state_dict(whole.state_dict())
    saved.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    for layer, own in ((whole, optimiser), (half, saved)):
        steps(layer, own, 2)
    assert torch.equal(whole.weight, half.weight)


def test_layers_next_to_the_data_and_embeddings_are_left_to_adamw():
    network = tiny_unet()
    taken, left = matrices(network)
    names = {id(p): name for name, p in network.named_parameters()}
    assert len(taken) + len(left) == len(names)
    assert all(p.ndim >= 2 and min(p.shape[:2]) > NARROW for p in taken)
    outside = {names[id(p)] for p in left if p.ndim >= 2}
    assert {"body.conv_in.conv.weight", "body.out.2.conv.weight"} <= outside
    assert any("embed" in name for name in outside)
    network.body.conv_in.requires_grad_(False)
    assert len(matrices(network)[1]) == len(left) - 2
