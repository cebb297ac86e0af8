"""Conditions as a vector that is added to the embedding of the times."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from neuromf.flow.guidance import GUIDANCE, OFF
from neuromf.flow.network import Condition
from neuromf.nets.sinusoids import sinusoids
from neuromf.nets.variables import Conditions, Variable

# radians over the range of the training data: at most half a turn, so that no value has a double
LOWEST, HIGHEST = 0.1, 3.0
EMBEDDING = "condition_embed"  # what a network calls its ConditionEmbedding


class ConditionEmbedding(nn.Module):
    """The sum of one embedding per variable, and one of the guidance: (B, width).

    It is zero until it has learned: a network that gets conditions begins as the one it was.
    """

    def __init__(self, conditions: Conditions, features: int, width: int) -> None:
        super().__init__()
        self.conditions = conditions
        self.variables = nn.ModuleDict(
            {v.name: _embedding(v, features, width) for v in conditions.variables}
        )
        self.guidance = _perceptron(len(OFF), width) if conditions.guidance > 1 else None

    def forward(self, condition: Condition | None, like: Tensor) -> Tensor:
        """Return the embedding for a condition, tensors (B,) by name, on the device of `like`
        (B, ...). What is not named is missing. Raises ValueError for unknown names or shapes.
        """
        given = condition or {}
        self._check(given, len(like))
        total: Tensor | None = None
        for name, embed in self.variables.items():
            values = given.get(name)
            if values is None:
                values = torch.full((len(like),), torch.nan)
            part = embed(values.to(like.device))
            total = part if total is None else total + part
        assert total is not None  # as Conditions without variables make no embedding

        if self.guidance is not None:
            guidance = given.get(GUIDANCE)
            if guidance is None:
                guidance = torch.tensor([OFF]).repeat(len(like), 1)
            total = total + self.guidance(_inputs(guidance.to(like.device)).to(total.dtype))
        return total

    def _check(self, condition: Condition, n: int) -> None:
        allowed = (*self.variables, *([GUIDANCE] if self.guidance is not None else []))
        strange = [name for name in condition if name not in allowed]
        if strange:
            raise ValueError(
                f"condition {strange[0]!r} is not one of this network's: {', '.join(allowed)}"
            )
        for name, values in condition.items():
            wanted = (n, len(OFF)) if name == GUIDANCE else (n,)
            if tuple(values.shape) != wanted:
                raise ValueError(
                    f"condition {name!r} has shape {tuple(values.shape)}: {wanted} is needed, one "
                    "row a sample"
                )


class Number(nn.Module):
    """The embedding of a number, scaled to the range of the training data."""

    def __init__(self, variable: Variable, features: int, width: int) -> None:
        super().__init__()
        self.low, self.range = variable.low, (variable.high - variable.low) or 1.0
        self.features = features
        self.layers = _perceptron(features, width)
        self.missing = nn.Parameter(torch.zeros(width))

    def forward(self, values: Tensor) -> Tensor:
        """Return (B, width) for numbers (B,), NaN where missing."""
        missing = values.isnan()
        scaled = (torch.where(missing, self.low, values) - self.low) / self.range
        waves = sinusoids(scaled, self.features, LOWEST, HIGHEST).to(self.missing.dtype)
        return torch.where(missing.unsqueeze(1), self.missing, self.layers(waves))


class Category(nn.Module):
    """The embedding of a category."""

    def __init__(self, variable: Variable, width: int) -> None:
        super().__init__()
        self.count = len(variable.values)
        self.vectors = nn.Parameter(torch.zeros(self.count + 1, width))  # the last is missing

    def forward(self, values: Tensor) -> Tensor:
        """Return (B, width) for places (B,) among the categories, NaN where missing."""
        places = torch.where(values.isnan(), float(self.count), values).long()
        return self.vectors[places]


def _embedding(variable: Variable, features: int, width: int) -> nn.Module:
    if variable.kind == "category":
        return Category(variable, width)
    return Number(variable, features, width)


def _perceptron(inputs: int, width: int) -> nn.Sequential:
    last = nn.Linear(width, width)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), last)


def _inputs(guidance: Tensor) -> Tensor:
    """Return 1 - 1/w and the interval (B, 3): all zero or one without guidance."""
    w, first, last = guidance.unbind(1)
    return torch.stack([1 - 1 / w, first, last], 1)


def with_conditions(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Return the state of a network without conditions, and beside it the embedding of one that
    has them, which is zero until it has learned.
    """
    own = network.state_dict()
    return {**{k: v for k, v in own.items() if f".{EMBEDDING}." in f".{k}"}, **state}
