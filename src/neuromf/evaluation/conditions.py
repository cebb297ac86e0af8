"""`neuromf conditions`: are samples what they were asked to be?

The values asked for are compared with those that a linear predictor, fitted to real latents, finds
in the samples; the same is done for held-out people.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure
from scipy import stats
from torch import Tensor

from neuromf.generation.asked import Asked
from neuromf.generation.generator import Generator
from neuromf.generation.model import load_model
from neuromf.generation.velocity import check_latents
from neuromf.latents.shard import StoreError
from neuromf.latents.store import LatentStore
from neuromf.metrics.intervals import Interval, Z, of_share
from neuromf.metrics.predictor import Predictor, fit_predictor
from neuromf.nets.variables import Conditions, Variable
from neuromf.reporting import plots
from neuromf.runtime.device import Precision
from neuromf.runtime.folders import Output
from neuromf.runtime.progress import progress
from neuromf.runtime.run import open_run
from neuromf.runtime.tables import write_table
from neuromf.training.conditions import known_rows

OUTPUT = Output("conditions", ("conditions.csv", "samples.csv", "conditions.png"))
MOST = 1000  # training latents that a predictor is fitted to, evenly spaced
PEOPLE = "held-out people"


@dataclass(frozen=True)
class ConditionsConfig:
    """Which model, with what is known of which latents."""

    # a folder that `neuromf train conditions=` wrote
    model: str = ""
    latents: str = ""  # a folder that encode wrote, with training and held-out people
    table: str = ""  # CSV or TSV with the conditions, as `neuromf train` takes it
    n: int = 64  # samples for each guidance, asked for what training latents are, evenly spaced
    nfe: int = 1  # network calls a sample
    guidance: tuple[float, ...] = (1.0,)
    seed: int = 0
    precision: Precision = "float32"
    device: str = "auto"  # auto, cpu, mps, cuda, cuda:1

    def __post_init__(self) -> None:
        if self.n < 4 or self.nfe < 1 or self.seed < 0 or not self.guidance:
            raise ValueError(
                f"n is {self.n}, nfe {self.nfe}, seed {self.seed}, guidance {self.guidance}: 4 or "
                "more, 1 or more, 0 or more, one or more"
            )


class Known(NamedTuple):
    """Normalised latents (N, C, D, H, W), and the text of each condition for each."""

    latents: Tensor
    rows: list[dict[str, str]]


class Judged(NamedTuple):
    """What a predictor says of latents whose value of a variable is known or was asked for."""

    truth: Tensor  # (N,), NaN where missing
    predicted: Tensor  # (N,)


def run(
    config: ConditionsConfig, out: Path, *, resume: bool = False, overwrite: bool = False
) -> list[dict[str, Any]]:
    """Write conditions.csv (r or accuracy with its interval, by condition and set), samples.csv
    (asked and predicted) and conditions.png into `out`; return the rows of the first.

    Raises ValueError or StoreError where the model has no conditions, or the latents or their
    table do not fit it.
    """
    if not config.model or not config.latents:
        raise ValueError("model= and latents= are needed, and table= where training had one")
    generator = Generator(load_model(config.model), config.device, config.precision)
    conditions = generator.config.conditions
    if not conditions.variables:
        raise ValueError(f"{config.model} has no conditions: train with conditions.age=number")
    for w in config.guidance:
        conditions.condition([{}], (w, 0.0, 1.0))
    store = LatentStore(config.latents)
    check_latents(generator.model, store)
    train, held_out = read_known(generator, store, config.table)

    inputs = [config.model, config.latents, config.table]
    with open_run(out, config, OUTPUT, inputs, resume=resume, overwrite=overwrite):
        predictors = {v.name: predictor(v, train) for v in conditions.variables}
        judged = {PEOPLE: judge(conditions, predictors, held_out)}
        for w in config.guidance:
            drawn = samples(generator, config, train.rows, w)
            judged[f"samples, w = {w:g}"] = judge(conditions, predictors, drawn)

        rows = table_of(conditions, judged)
        write_table(out / "conditions.csv", rows)
        write_table(out / "samples.csv", pairs_of(conditions, judged))
        plots.save(out / "conditions.png", draw(conditions, judged))
        print(report(rows))
    return rows


def read_known(generator: Generator, store: LatentStore, table: str) -> tuple[Known, Known]:
    """Return training latents, 1000 at most, and those of held-out people. Raises StoreError where
    there are too few of either.
    """
    rows = known_rows(store, generator.config.conditions.names, table)
    train, held = store.split("train"), store.split("val") + store.split("test")
    count = min(len(train), MOST)
    if count < 8 or len(held) < 4:
        raise StoreError(
            f"{store.location} holds {count} training latents and {len(held)} held-out ones: 8 and "
            "4 are needed"
        )
    parts = []
    for places in ([train[i * len(train) // count] for i in range(count)], held):
        stack = [generator.config.stats.normalise(store[i]) for i in places]
        parts.append(Known(torch.stack(stack), [rows[i] for i in places]))
    return parts[0], parts[1]


def values(v: Variable, rows: Sequence[dict[str, str]]) -> Tensor:
    """Return what rows say of a variable (N,), NaN where missing or not known to the model."""
    texts = [row.get(v.name, "") for row in rows]
    known = [text if not v.values or text in v.values else "" for text in texts]
    return torch.tensor([v.read(text) for text in known], dtype=torch.float64)


def known_to(conditions: Conditions, row: dict[str, str]) -> dict[str, str]:
    """Return what a row says that the model knows: the store may have grown by another site."""
    return {
        v.name: row[v.name]
        for v in conditions.variables
        if row.get(v.name) and (not v.values or row[v.name] in v.values)
    }


def predictor(v: Variable, train: Known) -> Predictor:
    """Return the predictor of a variable: of a number itself, of a category one output each."""
    y = values(v, train.rows)
    known = ~y.isnan()
    targets = y[known].unsqueeze(1)
    if v.values:
        targets = torch.nn.functional.one_hot(y[known].long(), len(v.values)).double()
    return fit_predictor(train.latents[known], targets)


def judge(
    conditions: Conditions, predictors: dict[str, Predictor], known: Known
) -> dict[str, Judged]:
    """Return truth and prediction for each variable."""
    found = {}
    for v in conditions.variables:
        out = predictors[v.name](known.latents)
        predicted = out.argmax(1).double() if v.values else out[:, 0]
        found[v.name] = Judged(values(v, known.rows), predicted)
    return found


def samples(
    generator: Generator, config: ConditionsConfig, rows: Sequence[dict[str, str]], w: float
) -> Known:
    """Return n samples, drawn with the conditions of some training latents."""
    asked_rows = [rows[i * len(rows) // config.n] for i in range(config.n)]
    told = [known_to(generator.config.conditions, row) for row in asked_rows]
    asked = Asked(generator.config.conditions, tuple(told), (w, 0.0, 1.0))
    drawn = []
    with progress("samples") as bar:
        shown = bar.add_task(f"samples, w = {w:g}", total=config.n)
        for number in range(config.n):
            latent = generator.latent(number, config.nfe, config.seed, asked)
            drawn.append(generator.config.stats.normalise(latent[0].cpu()))
            bar.advance(shown)
    return Known(torch.stack(drawn), list(told))


def table_of(conditions: Conditions, judged: dict[str, dict[str, Judged]]) -> list[dict[str, Any]]:
    """Return the rows of conditions.csv."""
    rows = []
    for v in conditions.variables:
        for name, found in judged.items():
            truth, predicted = found[v.name]
            known = ~truth.isnan()
            value, interval = score(v, truth[known], predicted[known])
            measure = "accuracy" if v.values else "r"
            rows.append(
                {"condition": v.name, "set": name, "n": int(known.sum()), "measure": measure}
                | {"value": value, "low": interval.low, "high": interval.high}
            )
    return rows


def score(v: Variable, truth: Tensor, predicted: Tensor) -> tuple[float, Interval]:
    """Return accuracy with Wilson's interval, or Pearson's r with Fisher's."""
    n = len(truth)
    if n < 4:
        return math.nan, Interval(math.nan, math.nan)
    if v.values:
        hits = int((truth == predicted).sum())
        return hits / n, of_share(hits, n)
    if truth.std() == 0 or predicted.std() == 0:
        return math.nan, Interval(math.nan, math.nan)
    r = float(stats.pearsonr(truth.numpy(), predicted.numpy()).statistic)
    reach, middle = Z / math.sqrt(n - 3), math.atanh(min(max(r, -1 + 1e-12), 1 - 1e-12))
    return r, Interval(math.tanh(middle - reach), math.tanh(middle + reach))


def pairs_of(conditions: Conditions, judged: dict[str, dict[str, Judged]]) -> list[dict[str, Any]]:
    """Return the rows of samples.csv."""
    return [
        {"condition": v.name, "set": name, "number": i, "asked": float(a), "predicted": float(p)}
        for v in conditions.variables
        for name, found in judged.items()
        for i, (a, p) in enumerate(zip(*found[v.name], strict=True))
        if not a.isnan()
    ]


def report(rows: list[dict[str, Any]]) -> str:
    """Return the table as lines of text."""
    lines = [f"{'condition':>12} {'set':>18} {'n':>4} {'':>9} {'value':>7}  95 % interval"]
    lines += [
        f"{r['condition']:>12} {r['set']:>18} {r['n']:>4} {r['measure']:>9} {r['value']:7.3f}  "
        f"{r['low']:.3f} to {r['high']:.3f}"
        for r in rows
    ]
    return "\n".join(lines)


def apart(v: Variable, places: Tensor, turn: int) -> Any:
    """Return where points are drawn: those of a category are spread around its tick in a spiral."""
    if not v.values:
        return places.numpy()
    k = torch.arange(len(places), dtype=torch.float64)
    angle = k * math.pi * (3 - math.sqrt(5)) + turn * math.pi / 2
    return (places + 0.3 * (k / max(len(places), 1)).sqrt() * angle.cos()).numpy()


def draw(conditions: Conditions, judged: dict[str, dict[str, Judged]]) -> Figure:
    """Return predicted over asked, one panel a condition."""
    count = len(conditions.variables)
    with plots.subplots(1, count, size=(3.2 * count, 3.0), squeeze=False) as (figure, axes):
        for axis, v in zip(axes[0], conditions.variables, strict=True):
            for colour, (name, found) in zip(
                (plots.REFERENCE, *plots.COLOURS), judged.items(), strict=False
            ):
                truth, predicted = found[v.name]
                marks = {"color": colour, "label": name, "alpha": 0.6}
                axis.plot(apart(v, truth, 0), apart(v, predicted, 1), ".", **marks)
            if v.values:
                ticks = range(len(v.values))
                axis.set(xticks=ticks, yticks=ticks)
                axis.set_xticklabels(v.values)
                axis.set_yticklabels(v.values)
            axis.set(xlabel=f"{v.name}, known or asked for", ylabel="predicted from the latent")
        axes[0][-1].legend()
    return figure
