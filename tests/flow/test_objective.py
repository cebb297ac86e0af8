from dataclasses import replace

import numpy as np
import pytest
import torch

from neuromf.flow import MeanFlow
from neuromf.flow.path import per_sample
from support import batch, gradients, mlp, relative, tiny_unet

EVERY_WAY = ["exact", "two-stream", "finite"]


def saved_bytes(step) -> int:
    """Bytes of distinct storages kept for backward."""
    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        step()
    return sum(kept.values())


class TestIdentity:
    @pytest.mark.parametrize("way", EVERY_WAY)
    @pytest.mark.parametrize("predict", ["x", "u"])
    def test_equal_times_are_flow_matching(self, predict, way):
        x, noise, t, _ = batch(4, 3)
        net, reference = mlp(), mlp()
        objective = MeanFlow(predict=predict, jvp=way, weight_power=0)
        terms = objective.terms(net, x, noise, t, t)
        objective.loss(terms).total.backward()

        z = (1 - t.unsqueeze(1)) * x + t.unsqueeze(1) * noise  # independent flow matching
        out = reference(z, t, t)
        v = out if predict == "u" else (z - out) / t.unsqueeze(1)
        loss = (v - (noise - x)).square().sum(1).mean()
        loss.backward()
        assert terms.dudt.abs().max() == 0
        torch.testing.assert_close(objective.loss(terms).total, loss, rtol=1e-12, atol=0)
        assert relative(gradients(net), gradients(reference)) < 1e-12

    def test_the_identity_holds_for_an_exact_field(self, gaussian):
        z, t, r = (
            torch.randn(64, 3).double(),
            *torch.rand(2, 64).double().sort(0, descending=True).values,
        )
        t = t.clamp(min=0.02)
        v = gaussian.velocity(z, t, t)
        objective = MeanFlow(predict="u", tangent="boundary")
        x = z - per_sample(t, z) * v  # data and noise whose path passes z with velocity v
        terms = objective.terms(gaussian.velocity, x, x + v, t, r)
        assert (terms.compound - v).abs().max() < 1e-12
        terms = replace(objective, predict="x").terms(gaussian.data, x, x + v, t, r)
        assert (terms.compound - v).abs().max() < 1e-10

    def test_composition_of_the_exact_field(self, gaussian):
        z, t, s, r = (
            torch.randn(9, 3).double(),
            *(torch.full((9,), q).double() for q in (0.9, 0.6, 0.1)),
        )
        first = gaussian.velocity(z, t, s)
        z_s = z - per_sample(t - s, z) * first
        whole = per_sample(t - r, z) * gaussian.velocity(z, t, r)
        parts = per_sample(t - s, z) * first + per_sample(s - r, z) * gaussian.velocity(z_s, s, r)
        assert (whole - parts).abs().max() < 1e-12

    @pytest.mark.parametrize("way", EVERY_WAY)
    @pytest.mark.parametrize("tangent", ["boundary", "conditional"])
    def test_a_point_mass_is_solved_by_its_point(self, way, tangent):
        point = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
        _, noise, t, r = batch(8, 3)
        t = t.clamp(min=0.02)
        net = lambda z, t, r: point.expand(len(t), 3) + 0 * (t - r).unsqueeze(1) * z
        terms = MeanFlow(jvp=way, tangent=tangent).terms(net, point.expand(8, 3), noise, t, r)
        torch.testing.assert_close(terms.compound, terms.target, rtol=0, atol=1e-10)

    @pytest.mark.parametrize("way", ["exact", "two-stream"])
    @pytest.mark.parametrize("tangent", ["boundary", "head", "conditional"])
    def test_x_and_u_prediction_are_one_objective(self, tangent, way):
        x, noise, t, r = batch(8, 3)
        nets = mlp(head=True), mlp(head=True)

        def as_velocity(z, t, r):
            return tuple((z - out) / t.unsqueeze(1) for out in nets[1](z, t, r))

        found = []
        for predict, net in (("x", nets[0]), ("u", as_velocity)):
            objective = MeanFlow(predict=predict, tangent=tangent, jvp=way)
            terms = objective.terms(net, x, noise, t, r)
            loss = objective.loss(terms)
            loss.total.backward()
            found.append((terms.compound, terms.dudt, loss.total, loss.raw_head))
        for a, b in zip(*found, strict=True):
            assert relative(a, b) < 1e-10
        assert relative(gradients(nets[0]), gradients(nets[1])) < 1e-10

    @pytest.mark.parametrize("way", EVERY_WAY)
    @pytest.mark.parametrize("tangent", ["boundary", "conditional"])
    def test_flow_weight_adds_flow_matching_at_every_point(self, tangent, way):
        """The added part is an independent regression of u(z, t, t) on noise - x, its gradient
        included; the MeanFlow part stays what it is without.
        """
        x, noise, t, r = batch(8, 3)
        r = torch.where(torch.arange(8) < 3, t, r)
        net, reference = mlp(), mlp()
        plain = MeanFlow(jvp=way, tangent=tangent)
        weighted = replace(plain, flow_weight=0.3)
        loss = weighted.loss(weighted.terms(net, x, noise, t, r))

        main = plain.loss(plain.terms(reference, x, noise, t, r))
        flow = plain.loss(plain.terms(reference, x, noise, t, t))
        total = main.total + 0.3 * flow.total
        torch.testing.assert_close(loss.total, total, rtol=1e-10, atol=0)
        torch.testing.assert_close(loss.raw, main.raw, rtol=1e-10, atol=0)
        loss.total.backward()
        total.backward()
        assert relative(gradients(net), gradients(reference)) < 1e-10

    def test_flow_weight_counts_samples_with_equal_times_too(self):
        x, noise, t, _ = batch(4, 3)
        one, both = (MeanFlow(flow_weight=weight) for weight in (0.0, 0.5))
        alone = one.loss(one.terms(mlp(), x, noise, t, t)).total
        torch.testing.assert_close(both.loss(both.terms(mlp(), x, noise, t, t)).total, 1.5 * alone)

    @pytest.mark.parametrize("way", EVERY_WAY)
    def test_gradient_is_that_of_u_plus_a_constant(self, way):
        x, noise, t, r = batch(8, 3)
        net, reference = mlp(), mlp()
        objective = MeanFlow(jvp=way, weight_power=0)
        terms = objective.terms(net, x, noise, t, r)
        objective.loss(terms).total.backward()
        u = (terms.z - reference(terms.z, t, r)) / t.unsqueeze(1)
        (u + (t - r).unsqueeze(1) * terms.dudt - terms.target).square().sum(1).mean().backward()
        assert relative(gradients(net), gradients(reference)) < 1e-12


class TestLoss:
    def terms(self, head: bool = False):
        x, noise, t, r = batch(4, 3, 4, 4, 4)
        net = lambda z, t, r: (0.5 * z, 0.3 * z) if head else 0.5 * z
        return MeanFlow().terms(net, x, noise, t, r)

    @pytest.mark.parametrize("p", [1, 1.5, 2, 3])
    def test_per_channel_exponents_equal_numpy(self, p):
        objective = MeanFlow(
            channel_p=(p, 2, 1), channel_weights=(0.5, 2, 3), weight_power=0.75, weight_eps=0.02
        )
        terms = self.terms()
        loss = objective.loss(terms)
        error = np.abs((terms.compound - terms.target).numpy())
        channels = np.stack(
            [(error[:, c] ** q).mean((1, 2, 3)) for c, q in enumerate((p, 2, 1))], 1
        )
        rows = channels @ np.array([0.5, 2, 3])
        weight = 1 / (rows + 0.02) ** 0.75
        np.testing.assert_allclose(loss.total, (weight * rows).mean(), rtol=1e-12)
        np.testing.assert_allclose(loss.channels, channels.mean(0), rtol=1e-12)
        np.testing.assert_allclose(loss.weight, weight, rtol=1e-12)
        np.testing.assert_allclose(loss.raw, rows.mean(), rtol=1e-12)
        np.testing.assert_allclose(loss.raw_equal, rows[[1]].mean(), rtol=1e-12)
        np.testing.assert_allclose(loss.raw_interval, rows[[0, 2, 3]].mean(), rtol=1e-12)

    def test_mean_over_voxels_does_not_depend_on_resolution(self):
        terms = self.terms()
        finer = terms._replace(
            **{n: getattr(terms, n).repeat(1, 1, 2, 2, 2) for n in ("compound", "target")}
        )
        torch.testing.assert_close(MeanFlow().loss(terms).total, MeanFlow().loss(finer).total)

    def test_no_gradient_passes_through_the_adaptive_weight(self):
        error = torch.randn(4, 3, dtype=torch.float64)
        terms = self.terms()._replace(
            target=torch.zeros_like(error), compound=error.requires_grad_()
        )
        loss = MeanFlow().loss(terms)
        (found,) = torch.autograd.grad(loss.total, error)
        torch.testing.assert_close(found, 2 * error * loss.weight.unsqueeze(1) / 4)

    def test_tiled_rows_give_the_same_total(self):
        terms = self.terms()
        tiled = type(terms)(
            *(None if v is None else v.repeat(3, *[1] * (v.ndim - 1)) for v in terms)
        )
        torch.testing.assert_close(MeanFlow().loss(tiled).total, MeanFlow().loss(terms).total)

    def test_the_head_has_its_own_part_and_weight(self):
        terms, objective = self.terms(head=True), MeanFlow(head_weight=0.25)
        main = objective.loss(terms._replace(head=None)).total
        head_alone = objective.loss(terms._replace(compound=terms.head, head=None))
        loss = objective.loss(terms)
        torch.testing.assert_close(loss.total, main + 0.25 * head_alone.total)
        torch.testing.assert_close(loss.raw_head, head_alone.raw)

    def test_a_mask_takes_the_mean_inside(self):
        terms = self.terms()
        mask = torch.zeros(1, 1, 4, 4, 4)
        mask[..., :2] = 1
        inside = terms._replace(compound=terms.compound[..., :2], target=terms.target[..., :2])
        torch.testing.assert_close(MeanFlow().loss(terms, mask).raw, MeanFlow().loss(inside).raw)

    @pytest.mark.parametrize(
        ("mask", "message"),
        [
            (torch.ones(2, 1, 4, 4, 4), "must broadcast"),
            (torch.zeros(1, 1, 4, 4, 4), "0 throughout"),
            (torch.linspace(-1, 9, 4).expand(1, 1, 4, 4, 4), "negative"),
        ],
    )
    def test_bad_masks_are_refused(self, mask, message):
        with pytest.raises(ValueError, match=message):
            MeanFlow().loss(self.terms(), mask)


class TestNonfinite:
    @pytest.mark.parametrize("way", EVERY_WAY)
    @pytest.mark.parametrize("poison", [float("nan"), float("inf")])
    def test_bad_rows_have_no_weight_and_no_gradient(self, way, poison):
        x, noise, t, r = batch(4, 3)
        bad = x.clone()
        bad[2, 1] = poison
        net, reference = mlp(), mlp()
        objective = MeanFlow(jvp=way)
        loss = objective.loss(objective.terms(net, bad, noise, t, r))
        loss.total.backward()
        good = torch.tensor([0, 1, 3])
        expected = objective.loss(
            objective.terms(reference, x[good], noise[good], t[good], r[good])
        )
        expected.total.backward()
        assert int(loss.nonfinite) == 1
        assert loss.weight[2] == 0
        torch.testing.assert_close(loss.total, expected.total)
        torch.testing.assert_close(loss.raw, expected.raw)
        assert relative(gradients(net), gradients(reference)) < 1e-12

    def test_a_slope_that_overflows_is_masked_and_counted(self):
        x, noise, t, r = batch(4, 3)
        objective, net = MeanFlow(), mlp()
        terms = objective.terms(net, x, noise, t, r)
        compound = terms.compound + torch.tensor([[torch.inf], [0], [0], [0]])
        loss = objective.loss(terms._replace(compound=compound))
        loss.total.backward()
        assert int(loss.nonfinite) == 1
        assert gradients(net).isfinite().all()

    def test_the_graph_stays_connected_when_no_row_is_left(self):
        x, noise, t, r = batch(4, 3)
        objective, net = MeanFlow(), mlp()
        terms = objective.terms(net, x, noise, t, r)
        loss = objective.loss(terms._replace(compound=terms.compound + torch.nan))
        loss.total.backward()
        assert loss.total == 0
        assert gradients(net).eq(0).all()
        assert loss.raw.isnan()
        assert int(loss.nonfinite) == 4


class TestUnet:
    @pytest.mark.parametrize("v_head_blocks", [0, 1])
    def test_every_parameter_gets_a_gradient(self, v_head_blocks, record_property):
        x, noise, t, r = batch(4, 4, 8, 8, 8, dtype=torch.float32)
        net = tiny_unet(torch.float32, v_head_blocks=v_head_blocks)
        objective = MeanFlow(jvp="two-stream", tangent="head" if v_head_blocks else "boundary")
        loss = objective.loss(objective.terms(net, x, noise, t, r))
        loss.total.backward()
        n = len(list(net.parameters()))
        record_property("measured", f"raw loss {loss.raw:.3g}, {n} tensors of parameters")
        assert 0 < loss.raw < 1000
        for name, parameter in net.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().max() > 0, name

    @pytest.mark.parametrize("way", EVERY_WAY)
    def test_bf16_autocast_is_close_to_float32(self, way, record_property):
        x, noise, t, r = batch(4, 4, 8, 8, 8, dtype=torch.float32)
        results = []
        for enabled in (False, True):
            net = tiny_unet(torch.float32)
            objective = MeanFlow(jvp=way, weight_power=0)
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                loss = objective.loss(objective.terms(net, x, noise, t, r))
            loss.total.backward()
            assert loss.total.dtype == torch.float32
            results.append((loss.raw, gradients(net)))
        loss, gradient = (relative(half, full) for full, half in zip(*results, strict=True))
        record_property("measured", f"{way}: loss {loss:.1g}, gradient {gradient:.2g}")
        assert loss < 0.03
        assert gradient < 0.1

    @pytest.mark.parametrize(
        ("way", "bound"), [("exact", 1.05), ("two-stream", 1.05), ("finite", 1.05)]
    )
    def test_a_step_keeps_no_more_for_backward_than_flow_matching(self, way, bound):
        x, noise, t, r = batch(4, 4, 8, 8, 8, dtype=torch.float32)
        net = tiny_unet(torch.float32)
        plain = saved_bytes(lambda: MeanFlow(jvp="none").terms(net, x, noise, t, t))
        ours = saved_bytes(lambda: MeanFlow(jvp=way).terms(net, x, noise, t, r))
        assert ours <= bound * plain

    @pytest.mark.parametrize("way", ["exact", "two-stream"])
    def test_checkpointing_keeps_less_than_a_third(self, way):
        x, noise, t, r = batch(4, 4, 8, 8, 8, dtype=torch.float32)
        plain, checkpointed = tiny_unet(torch.float32), tiny_unet(torch.float32, checkpointing=True)
        weights = sum(p.numel() * 4 for p in plain.parameters())
        full = saved_bytes(lambda: MeanFlow(jvp="none").terms(plain, x, noise, t, t)) - weights
        ours = saved_bytes(lambda: MeanFlow(jvp=way).terms(checkpointed, x, noise, t, r))
        assert ours <= 0.3 * full


@pytest.mark.parametrize(
    ("options", "message"),
    [({"predict": "v"}, "predict is 'v'"), ({"jvp": "fast"}, "jvp is 'fast': one of 'exact', 'two-stream'"),
     ({"tangent": "own"}, "tangent is 'own'"), ({"p": 0.5}, "p is 0.5"), ({"channel_p": (2.0, 0.0)}, "channel_p is 0.0"),
     ({"weight_eps": 0}, "weight_eps is 0"), ({"weight_power": -1}, "weight_power is -1"), ({"p": float("inf")}, "p is inf"),
     ({"channel_weights": (1.0, float("nan"))}, "channel_weights is nan")],
)  # fmt: skip
def test_bad_settings_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        MeanFlow(**options)


@pytest.mark.parametrize("name", ["channel_p", "channel_weights"])
def test_one_value_a_channel(name):
    x, noise, t, r = batch(4, 3)
    objective = MeanFlow(**{name: (1.0, 2.0)})
    with pytest.raises(ValueError, match=f"{name} has 2 values but the data have 3 channels"):
        objective.loss(objective.terms(mlp(), x, noise, t, r))


@pytest.mark.parametrize("equal", [False, True])
def test_a_head_asked_for_that_the_network_lacks(equal):
    x, noise, t, r = batch(4, 3)
    with pytest.raises(ValueError, match="head_blocks=1"):
        MeanFlow(tangent="head").terms(mlp(), x, noise, t, t if equal else r)


def test_a_mask_on_vectors_is_refused():
    x, noise, t, r = batch(4, 3)
    with pytest.raises(ValueError, match="without any"):
        MeanFlow().loss(MeanFlow().terms(mlp(), x, noise, t, r), torch.ones(4, 3))


@pytest.mark.parametrize("predict", ["x", "u"])
def test_sampling_knows_what_was_trained(predict):
    _, noise, t, _ = batch(4, 3)
    net, objective = mlp(), MeanFlow(predict=predict)
    ones = torch.ones_like(t)
    expected = noise - objective.velocity(net, noise, ones, 0 * ones)
    torch.testing.assert_close(objective.sample(net, noise), expected)


def test_velocity_of_both_parametrisations():
    x, _, t, r = batch(4, 3)
    net = mlp()
    torch.testing.assert_close(MeanFlow(predict="u").velocity(net, x, t, r), net(x, t, r))
    torch.testing.assert_close(
        MeanFlow().velocity(net, x, t, r), (x - net(x, t, r)) / t.unsqueeze(1)
    )
    with pytest.raises(ValueError, match="r > t in row"):
        MeanFlow().velocity(net, x, 0.5 * r, t)
