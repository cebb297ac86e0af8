import torch

from neuromf.nets.sinusoids import sinusoids


def test_frequencies_fall_geometrically_and_zero_gives_one_and_zero():
    found = sinusoids(torch.tensor([0.0, 1.0], dtype=torch.float64), 6, 0.25, 4.0)
    assert found[0].tolist() == [1, 1, 1, 0, 0, 0]
    f = torch.tensor([4.0, 1.0, 0.25], dtype=torch.float64)
    torch.testing.assert_close(found[1], torch.cat([f.cos(), f.sin()]), rtol=1e-6, atol=1e-6)


def test_half_precision_is_widened():
    assert sinusoids(torch.ones(2, dtype=torch.bfloat16), 4, 0.1, 1.0).dtype == torch.float32
