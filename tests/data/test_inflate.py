import gzip

import pytest

from neuromf.data.inflate import inflate


def test_no_more_than_asked_for():
    small = gzip.compress(bytes(10_000_000))
    assert inflate(small, 1000) == (bytes(1000), False)
    assert inflate(small, 20_000_000) == (bytes(10_000_000), True)


def test_several_streams_are_one_file():
    both = gzip.compress(b"one ") + gzip.compress(b"two") + bytes(100)
    assert inflate(both, 100) == (b"one two", True)
    assert inflate(both, 5) == (b"one t", False)


def test_a_file_that_breaks_off():
    with pytest.raises(EOFError, match="breaks off"):
        inflate(gzip.compress(bytes(range(256)) * 50)[:-30], 100_000)
