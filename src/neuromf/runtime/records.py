"""JSON that is read: parsed, checked against a type, refused with the file and the key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


class RecordError(ValueError):
    """A JSON file that cannot be used; the message names the file, the key,
    what came and what was expected.
    """


def read_record(path: Path, kind: type[T], advice: str = "") -> T:
    """Return the JSON file at `path` as `kind`: a frozen dataclass, or a type
    such as dict[str, list[str]].

    Numbers have to be finite. Raises RecordError for anything else, followed by `advice`;
    FileNotFoundError where there is no such file.
    """
    return parse_record(path.read_bytes(), kind, str(path), advice)


def parse_record(content: bytes, kind: type[T], where: str, advice: str = "") -> T:
    """Return the JSON text `content` as `kind`, see `read_record`; `where` is named in errors."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _refused(where, error, advice) from None


def as_record(value: Any, kind: type[T], where: str, advice: str = "", *, strict: bool = True) -> T:
    """Return plain values (dictionaries, lists, numbers), of a checkpoint for example, as `kind`.

    Without `strict`, the texts nan, inf and -inf are taken as numbers where `kind` has one.
    """
    try:
        return msgspec.convert(value, type=kind, strict=strict)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _refused(where, error, advice) from None


def read_json_object(path: Path, advice: str = "") -> dict[str, Any]:
    """Return a JSON file that holds an object whose keys are not known. NaN and Infinity, which
    Python's own writer leaves in JSON, are read.
    """
    content = path.read_bytes()
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _refused(str(path), error, advice) from None
    if not isinstance(value, dict):
        raise _refused(
            str(path), TypeError(f"an object is expected, {type(value).__name__} found"), advice
        )
    return value


def _refused(where: str, error: BaseException, advice: str) -> RecordError:
    lines = str(error).splitlines()
    text = lines[0] if lines else type(error).__name__
    if isinstance(error, RecursionError):
        text = "nested too deep"
    text = text.replace(" - at `$.", " at `").replace(" - at `$", " at `")
    return RecordError(f"{where} is not what it should be: {text}{': ' if advice else ''}{advice}")
