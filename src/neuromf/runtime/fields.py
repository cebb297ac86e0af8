"""Metadata of configuration keys, beyond their types and defaults: an earlier name, and whether a
resumed run may change the key.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

import yaml

# metadata of a dictionary whose keys are the user's own: the command line may add to it
NAMED = {"named": True}
DROPPED = "__dropped__"  # class attribute: keys of earlier versions that have no meaning now


def key(
    default: Any = dataclasses.MISSING,
    *,
    factory: Callable[[], Any] | None = None,
    formerly: str = "",
    free: bool = False,
) -> Any:
    """Return a dataclass field.

    `formerly` is the key's name in earlier versions. The command line refuses it and names the
    new one; in files of earlier versions it is read. A `free` key may change when a run is
    resumed: it sets how fast or how much is computed, not what.
    """
    metadata = {"formerly": formerly, "free": free}
    if factory is not None:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def new_name(schema: Any, name: str) -> str:
    """Return what a key of an earlier version is called now, empty where it is not known."""
    if not dataclasses.is_dataclass(schema):
        return ""
    return next(
        (f.name for f in dataclasses.fields(schema) if f.metadata.get("formerly") == name), ""
    )


def is_named(schema: Any, name: str) -> bool:
    """Return True for a dictionary whose keys are the user's own."""
    return dataclasses.is_dataclass(schema) and any(
        f.name == name and f.metadata.get("named", False) for f in dataclasses.fields(schema)
    )


def renamed(record: dict[str, Any], schema: Any) -> dict[str, Any]:
    """Return a record of an earlier version with the names of this one, dropped keys left out."""
    names = {f.metadata["formerly"]: f.name for f in _fields(schema) if f.metadata.get("formerly")}
    types = get_type_hints(schema)
    dropped = getattr(schema, DROPPED, ())
    out = {}

    for old, value in record.items():
        name = names.get(old, old)
        if name in dropped:
            continue
        kind = types.get(name)
        nested = isinstance(value, dict) and dataclasses.is_dataclass(kind)
        out[name] = renamed(value, kind) if nested else value

    return out


def differences(before: str, now: str, schema: Any) -> list[str]:
    """Return what differs between two configurations as YAML, `before` perhaps of an earlier
    version, but for keys that a resumed run may change: '- key: old', '+ key: new'.
    """
    earlier, free, missing = yaml.safe_load(before), free_keys(schema), object()
    a = dict(flat(renamed(earlier, schema) if isinstance(earlier, dict) else {}))
    b = dict(flat(yaml.safe_load(now)))
    changed = [
        k
        for k in {**a, **b}
        if a.get(k, missing) != b.get(k, missing)
        and not any(k == name or k.startswith(f"{name}.") for name in free)
    ]
    return [
        f"{sign} {name}: {_shown(values[name])}"
        for name in changed
        for sign, values in (("-", a), ("+", b))
        if name in values
    ]


def free_keys(schema: Any, prefix: str = "") -> set[str]:
    """Return the dotted keys that a resumed run may change."""
    types = get_type_hints(schema)
    found = {f"{prefix}{f.name}" for f in _fields(schema) if f.metadata.get("free")}
    for f in _fields(schema):
        if dataclasses.is_dataclass(types[f.name]):
            found |= free_keys(types[f.name], f"{prefix}{f.name}.")
    return found


def _fields(schema: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(schema) if dataclasses.is_dataclass(schema) else ()


def flat(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted key, value) of nested mappings; an empty mapping is a value."""
    if isinstance(tree, dict) and tree:
        for name, value in tree.items():
            yield from flat(value, f"{prefix}.{name}" if prefix else str(name))
    else:
        yield prefix, tree


def _shown(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n").strip()
