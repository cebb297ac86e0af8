"""What a verb's keys mean: their names, values and the comments beside them in the code."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import io
import textwrap
import tokenize
from typing import Any

from omegaconf import DictConfig, OmegaConf


def describe(schema: type, config: Any, prefix: str = "") -> list[str]:
    """Return a line for each key of a configuration, or of the defaults if that is the schema
    itself: name, value, comment; those that begin with `prefix`.
    """
    found = [
        row for row in _rows(schema, OmegaConf.structured(config)) if row[0].startswith(prefix)
    ]
    if not found:
        return []
    name = min(max(len(name) for name, _, _ in found), 36)
    value = min(max(len(value) for _, value, _ in found), 24)
    return [f"{n:{name}}  {v:{value}}  {comment}".rstrip() for n, v, comment in found]


def comments(schema: type) -> dict[str, str]:
    """Return the comment above or behind each field of a dataclass, in its source."""
    source = textwrap.dedent(inspect.getsource(schema))
    remarks: dict[int, str] = {}
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            remarks[token.start[0]] = token.string.removeprefix("#").strip()
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.ClassDef)

    def rows(node: ast.AnnAssign) -> range:
        first = node.lineno
        while lines[first - 2].lstrip().startswith("#"):
            first -= 1
        return range(first, (node.end_lineno or 0) + 1)

    return {
        node.target.id: " ".join(remarks[i] for i in rows(node) if i in remarks)
        for node in body.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def _rows(schema: type, config: DictConfig, prefix: str = "") -> list[tuple[str, str, str]]:
    said: dict[str, str] = {}
    for part in reversed(schema.__mro__):
        if dataclasses.is_dataclass(part):
            said |= comments(part)

    rows: list[tuple[str, str, str]] = []

    for field in dataclasses.fields(schema):
        value = config[field.name]
        inner = OmegaConf.get_type(config, field.name)
        element = _element(value)
        if isinstance(inner, type) and dataclasses.is_dataclass(inner) and not value._is_none():
            rows += _rows(inner, value, f"{prefix}{field.name}.")
        elif element is not None:
            rows.append((f"{prefix}{field.name}", ", ".join(value) or "{}", said[field.name]))
            rows += _rows(element, OmegaConf.structured(element), f"{prefix}{field.name}.NAME.")
        else:
            rows.append((f"{prefix}{field.name}", _shown(value), said.get(field.name, "")))

    return rows


def _element(value: Any) -> type | None:
    """Return what a mapping of names holds, if that is a dataclass of its own keys."""
    element = value._metadata.element_type if isinstance(value, DictConfig) else None
    return element if isinstance(element, type) and dataclasses.is_dataclass(element) else None


def _shown(value: Any) -> str:
    if OmegaConf.is_config(value):
        value = OmegaConf.to_container(value)
        return str(list(value) if isinstance(value, tuple) else value)
    return (
        "null"
        if value is None
        else str(value).lower()
        if isinstance(value, bool)
        else str(value) or "''"
    )
