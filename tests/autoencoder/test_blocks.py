import torch

from neuromf.autoencoder.blocks import ChannelNorm, Gather, Residual, Scatter, conv
from support import randomised


def test_gather_and_scatter_are_inverse():
    x = torch.rand(2, 3, 4, 6, 8)
    assert Gather()(x).shape == (2, 24, 2, 3, 4)
    assert torch.equal(Scatter()(Gather()(x)), x)


def test_norm_is_a_voxels_own():
    """A change of one voxel changes the norm of no other: patches and tiles see the network of the whole volume."""
    x = torch.rand(1, 6, 4, 4, 4)
    y = x.clone()
    y[..., 0, 0, 0] *= 9
    norm = ChannelNorm(6)
    assert torch.equal(norm(x)[..., 1:], norm(y)[..., 1:])
    torch.testing.assert_close(norm(x).square().mean(1), torch.ones(1, 4, 4, 4), atol=1e-4, rtol=0)


def test_a_residual_block_starts_as_the_identity_but_for_a_bias():
    torch.manual_seed(0)
    x, block = torch.rand(1, 4, 4, 4, 4), Residual(4)
    added = block(x) - x
    torch.testing.assert_close(added, added[..., :1, :1, :1].expand_as(added))
    assert (randomised(block)(x) - x).std((2, 3, 4)).min() > 0.01


def test_a_convolution_keeps_the_size():
    assert conv(2, 3)(torch.rand(1, 2, 5, 6, 7)).shape == (1, 3, 5, 6, 7)
