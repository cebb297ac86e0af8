import zlib

import torch

from neuromf.runtime.checksums import crc32, tensor_crc32


def test_it_is_the_usual_crc32():
    assert crc32(b"123456789") == zlib.crc32(b"123456789") == 0xCBF43926


def test_of_a_tensor_it_is_that_of_its_bytes():
    x = torch.arange(12.0).reshape(3, 4)
    assert tensor_crc32(x) == zlib.crc32(x.numpy().tobytes())
    assert tensor_crc32(x.T) == zlib.crc32(x.T.contiguous().numpy().tobytes())
    y = x.clone()
    y.view(torch.int32)[1, 1] ^= 1
    assert tensor_crc32(y) != tensor_crc32(x)
