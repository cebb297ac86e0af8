"""The conditions of each latent of a training, from the latents' own table or from one that the
user gives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from neuromf.flow.guidance import GUIDANCE, OFF, Guidance
from neuromf.flow.network import Condition
from neuromf.latents.shard import StoreError
from neuromf.latents.store import LatentEntry, LatentStore
from neuromf.nets.variables import UNCONDITIONAL, Conditions, fitted
from neuromf.runtime.folders import local_path
from neuromf.runtime.randomness import Purpose, generator
from neuromf.runtime.tables import read_table
from neuromf.training.config import TrainConfig

KEYS = ("name", "subject", "participant_id")  # columns that say whom a row of a table is of
PLACE = ("lesion_x", "lesion_y", "lesion_z")  # centre of the lesions, in shares of the grid
SIDE = PLACE[0]  # along the axis between left and right
# in the latents' own table
STORED = ("age", "sex", "contrast", "site", "dataset", "group", "lesion_ml", *PLACE)


@dataclass(frozen=True)
class Known:
    """The conditions of a training, and the value of each for every latent of a store."""

    conditions: Conditions
    values: dict[str, Tensor]  # (latents,) by name, NaN where missing

    @classmethod
    def read(
        cls, config: TrainConfig, store: LatentStore, base: Conditions = UNCONDITIONAL
    ) -> Known:
        """Return what a training is conditioned on: what the model that is adapted knows, and more.
        Vocabulary and ranges are the model's, of what is new those of the split train. Raises
        StoreError for columns that are not there and ValueError for values that cannot be used, or
        that augmentation makes wrong.
        """
        if config.augmentation.flip and SIDE in {*config.conditions, *base.names}:
            raise ValueError(
                f"augmentation.flip=true swaps left and right and leaves the condition {SIDE} as "
                f"it is, so half of the lesions would be on the side it does not name: set "
                f"augmentation.flip=false, or leave out conditions.{SIDE}"
            )
        rows = known_rows(store, list(config.conditions), config.table, base.names)
        training = [rows[i] for i in store.split("train")]
        variables = base.variables + tuple(
            fitted(name, kind, (row[name] for row in training))
            for name, kind in config.conditions.items()
            if name not in base.names
        )
        values = {}
        for v in variables:
            texts = [row[v.name] for row in rows]
            if v.values:  # a category that is not in the training split counts as missing
                texts = [text if text.strip() in v.values else "" for text in texts]
            values[v.name] = torch.tensor([v.read(text) for text in texts])
        return cls(Conditions(variables, max(config.guidance.largest, base.guidance)), values)

    @property
    def sha256(self) -> str:
        """Fingerprint of all values; empty without conditions."""
        if not self.values:
            return ""
        digest = hashlib.sha256()
        for name, values in self.values.items():
            digest.update(name.encode() + values.numpy().tobytes())
        return digest.hexdigest()

    def silent(self, places: Sequence[int]) -> list[str]:
        """Return the conditions that are missing in all latents at places in the store."""
        return [name for name, values in self.values.items() if values[list(places)].isnan().all()]

    def of(self, places: Sequence[int] | Tensor) -> Condition | None:
        """Return the condition of latents at places in the store, without guidance."""
        if not self.values:
            return None
        at = torch.as_tensor(places)
        return self._guided({name: v[at] for name, v in self.values.items()}, len(at))

    def drawn(
        self, places: Sequence[int], guidance: Guidance, drawn: torch.Generator
    ) -> tuple[Condition | None, Condition | None]:
        """Return the condition of a training batch and, where guidance is trained, its null.

        A share of the samples, whatever their times, loses all conditions, and is not guided.
        """
        condition = self.of(places)
        if condition is None:
            return None, None
        n = len(places)
        dropped = torch.rand(n, generator=drawn) < guidance.dropout
        condition = {
            name: v if name == GUIDANCE else torch.where(dropped, torch.nan, v)
            for name, v in condition.items()
        }
        if guidance.largest == 1:
            return condition, None

        nothing = torch.stack([v.isnan() for k, v in condition.items() if k != GUIDANCE]).all(0)
        scales = torch.where(nothing.unsqueeze(1), torch.tensor(OFF), guidance.draw(n, drawn))
        return condition | {GUIDANCE: scales}, self.null(n)

    def null(self, n: int) -> Condition | None:
        """Return the condition of n samples of which nothing is known."""
        return self.conditions.null(n)

    def _guided(self, condition: Condition, n: int) -> Condition:
        if self.conditions.guidance == 1:
            return condition
        return condition | {GUIDANCE: torch.tensor([OFF]).repeat(n, 1)}


def batch_conditions(
    known: Known, places: Sequence[int], config: TrainConfig, update: int, part: int
) -> tuple[Condition | None, Condition | None]:
    """Return condition and null of one part of an update's global batch."""
    chance = generator(Purpose.CONDITIONS, config.seed, update, part)
    return known.drawn(places, config.guidance, chance)


def known_rows(
    store: LatentStore, asked: Sequence[str], table: str = "", also: Sequence[str] = ()
) -> list[dict[str, str]]:
    """Return for each latent of a store the text of each condition asked for, and of those in
    `also`, empty where missing; from the store's own table or another one. Raises StoreError for a
    table without a column that is asked for, or without any of the latents.
    """
    names = list(dict.fromkeys([*asked, *also]))
    if not table:
        wrong = [name for name in asked if name not in STORED]
        if wrong:
            raise StoreError(
                f"conditions.{wrong[0]}: the latents know {', '.join(STORED)}; table=FILE gives "
                f"other columns by {', '.join(KEYS)}"
            )
        return [
            {name: stored(entry, name) if name in STORED else "" for name in names}
            for entry in store.entries
        ]

    path = local_path(table)
    if not path.is_file():
        raise FileNotFoundError(f"table={table}: no such file: a CSV or TSV with the conditions")
    columns, rows = read_table(path)
    key = next((k for k in KEYS if k in columns), "")
    missing = [name for name in asked if name not in columns]
    if not key or missing:
        lacking = missing[0] if missing else " or ".join(KEYS)
        raise StoreError(f"{table} has no column {lacking}: it has {', '.join(columns)}")

    by_name = {row[key]: row for row in rows}
    found = [row_of(entry, key, by_name) for entry in store.entries]
    if not any(found):
        raise StoreError(
            f"{table}: its column {key} names none of the latents, such as "
            f"{store.entries[0].name} of {store.entries[0].subject}"
        )
    _refuse_ambiguous(table, key, rows, found, names)
    return [{name: row.get(name, "") for name in names} for row in found]


def _refuse_ambiguous(
    table: str, key: str, rows: Sequence[dict[str, str]], used: Sequence[dict[str, str]],
    names: Sequence[str],
) -> None:  # fmt: skip
    """Raise StoreError where a row that a latent takes is one of several of the same key with
    different conditions, of two sessions perhaps: nothing says which of them the latent is of.
    """
    wanted = {row[key] for row in used if row}
    first: dict[str, dict[str, str]] = {}
    for row in rows:
        before = first.setdefault(row[key], row)
        other = [name for name in names if row.get(name, "") != before.get(name, "")]
        if row[key] in wanted and other:
            values = f"{before.get(other[0], '')!r} and {row.get(other[0], '')!r}"
            raise StoreError(
                f"{table} has several rows of {key} {row[key]}, in which {other[0]} is {values}: "
                "keep one of them, or give each scan its own row by a column `name`, the latent's"
            )


def stored(entry: LatentEntry, name: str) -> str:
    """Return what the latents' own table knows of one, empty where missing."""
    if name in PLACE:
        return str(entry.lesion_centre[PLACE.index(name)]) if entry.lesion_centre else ""
    value = getattr(entry, name)
    return "" if value is None else str(value)


def row_of(entry: LatentEntry, key: str, table: Mapping[str, dict[str, str]]) -> dict[str, str]:
    """Return a latent's row of a table, found by its name or by its subject. A deformed copy has
    its own row, or else its parent's.
    """
    wanted = (entry.name,) if key == "name" else (entry.name, entry.subject, entry.parent)
    bare = [w.removeprefix("sub-") for w in wanted if w]
    for name in (*filter(None, wanted), *bare, *(f"sub-{b}" for b in bare)):
        if name in table:
            return table[name]
    return {}
