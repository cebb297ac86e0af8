"""Every JSON that a verb reads, damaged key by key: told with its path, never a traceback, never used as it is."""

import functools
import json

import pytest

from neuromf.autoencoder.load import load_vae
from neuromf.data.cohort import read_cohort
from neuromf.generation.model import load_model
from neuromf.latents.statistics import LatentStats
from neuromf.latents.store import LatentStore

undamaged_model = functools.cache(load_model)  # where its VAE alone is damaged
READERS = {
    "model/config.json": load_model,
    "model/vae/config.json": lambda folder: undamaged_model(folder).load_vae("cpu"),
    "vae/config.json": lambda folder: load_vae(str(folder)),
    "latents/index.json": lambda folder: list(
        map(LatentStore(folder).__getitem__, range(min(2, len(LatentStore(folder)))))
    ),
    "latents/stats.json": LatentStats.load,
    "volumes/s0.json": lambda folder: [entry.place() for entry in read_cohort(folder)],
}
DAMAGE = {
    "empty": lambda text: b"",
    "half": lambda text: text[: len(text) // 2],
    "no text": lambda text: b"\xff\xfe\x00" + text,
    "a list": lambda text: b"[1, 2]",
    "null": lambda text: b"null",
    "nothing in it": lambda text: b"{}",
    "deep": lambda text: b'{"a":' * 50_000,
}
STRANGE = (None, "text", -1, 0, [], {}, 1e300, [[1]], True)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", READERS)
def test_damaged(world, name, damage):
    path = world / name
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    folder = world / name.split("/")[0]
    with pytest.raises(ValueError, match=path.name):
        READERS[name](folder)


@pytest.mark.parametrize("name", [n for n in READERS if n != "volumes/s0.json"])
def test_every_key_in_turn(world, name):
    """Each key is left out, then set to values of other types: refused with the path, or it changes nothing read."""
    path, folder = world / name, world / name.split("/")[0]
    whole = json.loads(path.read_text())
    wrong = []
    for place in places(whole):
        for value in (..., *STRANGE):
            path.write_text(json.dumps(changed(whole, place, value)))
            try:
                READERS[name](folder)
            except (ValueError, FileNotFoundError) as error:
                if str(folder) not in str(error):
                    wrong.append((place, value, f"{type(error).__name__}: {error}"))
    assert not wrong, wrong[:3]


def places(tree, here=()):
    """The way to every value of a JSON object, of a long list to its first element alone."""
    if isinstance(tree, dict):
        return [
            p for key, value in tree.items() for p in [(*here, key), *places(value, (*here, key))]
        ]
    if isinstance(tree, list) and tree:
        return [(*here, 0), *places(tree[0], (*here, 0))]
    return []


def changed(tree, place, value):
    """The tree with another value at a place, or (with ...) without it."""
    key, *rest = place
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    if rest:
        copy[key] = changed(copy[key], rest, value)
    elif value is ...:
        del copy[key]
    else:
        copy[key] = value
    return copy
