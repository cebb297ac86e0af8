import pytest
import torch

from neuromf.flow import MeanFlow
from support import batch, mlp

x, noise, t, r = batch(4, 3)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"noise": noise[:3]}, ValueError, r"noise has shape \(3, 3\) but x has \(4, 3\)"),
        (
            {"noise": noise.float()},
            TypeError,
            "noise has dtype torch.float32 but x has torch.float64",
        ),
        ({"x": x.long()}, TypeError, "x has dtype torch.int64: a floating-point tensor"),
        ({"x": x.numpy()}, TypeError, "x is a ndarray"),
        (
            {"x": x.bfloat16()},
            TypeError,
            "x has dtype torch.bfloat16: the objective needs float32.*autocast",
        ),
        ({"x": x[0], "noise": x[0]}, ValueError, r"x has shape \(3,\)"),
        ({"x": x[:0], "noise": x[:0]}, ValueError, "at least one sample"),
        ({"t": t[:2]}, ValueError, r"t has shape \(2,\): one time per sample is needed, \(4,\)"),
        ({"r": r.unsqueeze(1)}, ValueError, r"r has shape \(4, 1\)"),
        ({"t": torch.ones(4, dtype=torch.int64)}, TypeError, "t has dtype torch.int64"),
        ({"t": 0.5 * r}, ValueError, "r > t in row"),
        ({"t": t + 0.5}, ValueError, r"times span .* must lie in \[0, 1\]"),
        ({"r": r - 0.5}, ValueError, r"times span"),
        ({"t": t * float("nan")}, ValueError, "without NaN"),
        ({"t": 0 * t, "r": 0 * r}, ValueError, "t holds a 0"),
        ({"x": x * float("nan")}, ValueError, "all 4 samples hold NaN or Inf"),
    ],
)
def test_wrong_input_is_named(changes, error, message):
    arguments = {"x": x, "noise": noise, "t": t, "r": r} | changes
    with pytest.raises(error, match=message):
        MeanFlow().terms(mlp(), **arguments)


@pytest.mark.parametrize("earlier", [t, r])
def test_an_output_of_another_shape_is_refused(earlier):
    with pytest.raises(
        ValueError, match=r"the network's output has shape \(\d, 2\) but z has \(\d, 3\)"
    ):
        MeanFlow().terms(lambda z, t, r: z[:, :2], x, noise, t, earlier)


@pytest.mark.parametrize("output", [{"x": x}, (x, x, x), [None, x]])
def test_an_output_of_another_kind_is_refused(output):
    with pytest.raises(TypeError, match=r"a tensor or \(prediction"):
        MeanFlow().terms(lambda z, t, r: output, x, noise, t, t)


def test_time_zero_is_fine_for_u_prediction():
    MeanFlow(predict="u").terms(mlp(), x, noise, 0 * t, 0 * r)
