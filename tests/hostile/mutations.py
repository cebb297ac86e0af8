"""Ways to damage a file: single bytes, cuts, insertions; values and keys of JSON and of checkpoints."""

import copy
import json
from collections.abc import Callable

from hypothesis import strategies as st

FAR = 2**40
STRANGE = st.sampled_from(
    [
        *(
            None,
            True,
            False,
            0,
            1,
            -1,
            2,
            3,
            255,
            2**31,
            2**63,
            -(2**63),
            10**400,
            0.0,
            -0.5,
            1e-300,
            1e300,
        ),
        *(
            float("nan"),
            float("inf"),
            "",
            "x",
            "..",
            "../x",
            "/",
            "a/b",
            "\x00",
            "ä" * 300,
            "nan",
            "1e400",
        ),
        *([], [None], [[]], [0] * 5, ["x"], {}, {"x": 1}, {"": None}),
    ]
)
BYTES = st.tuples(st.just("set"), st.integers(0, FAR), st.integers(0, 255))
FLIPS = st.tuples(st.just("flip"), st.integers(0, FAR), st.integers(0, 7))
CUTS = st.tuples(st.just("cut"), st.integers(0, FAR), st.integers(1, 64))
ENDS = st.tuples(st.just("end"), st.integers(0, FAR), st.just(0))
EXTRA = st.tuples(st.just("insert"), st.integers(0, FAR), st.binary(min_size=1, max_size=16))
DAMAGE = st.lists(st.one_of(BYTES, FLIPS, FLIPS, CUTS, ENDS, EXTRA), min_size=1, max_size=4)
IN_PLACE = st.lists(st.one_of(BYTES, FLIPS), min_size=1, max_size=6)
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["replace", "delete", "add", "double"]), st.integers(0, FAR), STRANGE
    ),
    min_size=1,
    max_size=3,
)


def damaged(content: bytes, changes: list, reach: int = 0) -> bytes:
    """Return bytes with changes made to them, within the first `reach` if that is given."""
    data = bytearray(content)
    for kind, where, what in changes:
        at = where % max(min(reach or len(data), len(data)), 1)
        if not data:
            break
        if kind == "set":
            data[at] = what
        elif kind == "flip":
            data[at] ^= 1 << what
        elif kind == "cut":
            del data[at : at + what]
        elif kind == "end":
            del data[at:]
        else:
            data[at:at] = what
    return bytes(data)


def edited(value: object, changes: list) -> object:
    """Return a value of dictionaries and lists in which some places hold something else, or nothing."""
    root = [copy.deepcopy(value)]
    for kind, where, what in changes:
        places = _places(root)
        holder, key = places[where % len(places)]
        if kind == "replace":
            holder[key] = what
        elif kind == "delete" and holder is not root:
            del holder[key]
        elif kind == "add" and isinstance(holder[key], dict):
            holder[key]["surplus"] = what
        elif kind == "add" and isinstance(holder[key], list):
            holder[key].append(what)
        elif kind == "double" and isinstance(holder, list) and holder is not root:
            holder.append(copy.deepcopy(holder[key]))
    return root[0]


def edited_json(content: bytes, changes: list) -> bytes:
    """Return a JSON file edited so; a place may hold lists in lists by the thousand."""
    text = json.dumps(edited(json.loads(content), changes))
    return text.replace('["x"]', "[" * 5000 + "]" * 5000).encode()


def _places(root: list) -> list[tuple]:
    """Return (holder, key) of every value below a list, itself first."""
    found: list[tuple] = []
    waiting: list = [root]
    while waiting:
        holder = waiting.pop()
        keys: Callable = holder.keys if isinstance(holder, dict) else lambda h=holder: range(len(h))
        for key in list(keys())[:40]:
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
    return found
