from dataclasses import dataclass

import pytest

from neuromf.runtime.records import RecordError, as_record, read_json_object, read_record


@dataclass(frozen=True)
class Inner:
    sizes: tuple[int, ...]
    rate: float = 1.0

    def __post_init__(self):
        if self.rate <= 0:
            raise ValueError(f"rate is {self.rate}: above 0")


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner


def test_a_record_comes_back_as_its_type(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"name": "x", "inner": {"sizes": [1, 2], "rate": 3}}')
    assert read_record(path, Outer) == Outer("x", Inner((1, 2), 3.0))
    assert as_record({"name": "x", "inner": {"sizes": [1]}}, Outer, "there") == Outer(
        "x", Inner((1,))
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"name": 3, "inner": {"sizes": []}}', "Expected `str`, got `int` at `name`"),
        ('{"name": "x"}', "missing required field `inner`"),
        ('{"name": "x", "inner": {"sizes": [1, "2"]}}', r"at `inner.sizes\[1\]`"),
        ('{"name": "x", "inner": {"sizes": [1], "rate": NaN}}', "invalid"),
        ('{"name": "x", "inner": {"sizes": [1], "rate": -1}}', "rate is -1.0: above 0 at `inner`"),
        ('{"name": "x", "inner": {"sizes": [1], "rate": 1e999}}', "out of range"),
        ("[]", "Expected `object`, got `array`"),
        ("", "truncated"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(tmp_path, text, said):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(RecordError, match=said) as caught:
        read_record(path, Outer, "copy it again")
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).endswith(": copy it again")


def test_what_is_no_text(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b'{"name": "\xff\xfe", "inner": {"sizes": []}}')
    with pytest.raises(RecordError, match=str(path)):
        read_record(path, Outer)


@pytest.mark.parametrize("content", [b"[1]", b"\xff", b"{", b"[" * 100_000, b"null"])
def test_an_object_of_unknown_keys(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=str(path)):
        read_json_object(path)
    path.write_text('{"a": NaN}')
    assert list(read_json_object(path)) == ["a"]
