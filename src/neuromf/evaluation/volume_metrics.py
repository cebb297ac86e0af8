"""Figures of the volumes themselves: likeness and diversity, detail, latents, sizes of regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from neuromf.evaluation.feature_metrics import Points, even
from neuromf.evaluation.measured import Material, Protocol
from neuromf.evaluation.pairs import Pair, Rows, drawn_pairs
from neuromf.evaluation.score import Beside, Better, Score
from neuromf.features.plain import unpacked
from neuromf.metrics import intervals
from neuromf.metrics.precision_recall import nearest
from neuromf.metrics.regions import dice, kl_divergence, pearson, wasserstein
from neuromf.metrics.wasserstein import wasserstein_squared
from neuromf.runtime.randomness import Purpose, generator
from neuromf.segmentation.tissue import CLASSES

ENDS = "ends"  # which volumes the pairs of `ms_ssim` are of (P, 2)
OVERLAPS = 40  # pairs whose tissues are laid on each other
BY_CHANCE = (
    "Kullback-Leibler divergences of histograms rise with the number of "
    "volumes: compare at equal numbers alone"
)
BLUR = "Blurred volumes score as high or higher: this cannot show sharpness"
MEANT: dict[str, tuple[str, Better]] = {
    "ms_ssim": ("MS-SSIM between volumes of the set (less is more diverse)", "real"),
    "ssim": ("SSIM to the nearest real volume", "none"),
    "psnr": ("PSNR to the nearest real volume, dB", "none"),
    "dice.CSF": ("Dice of fluid with the nearest real volume", "none"),
    "dice.GM": ("Dice of grey matter with the nearest real volume", "none"),
    "dice.WM": ("Dice of white matter with the nearest real volume", "none"),
}


@dataclass(frozen=True)
class Neighbours:
    """The nearest reference volume of each volume of a set, by coarse voxels: root
    mean square distance and index.
    """

    distance: Tensor
    index: Tensor


def neighbours(a: Material, r: Material) -> Neighbours:
    """Return the nearest reference volume of each volume, of another person and another file."""
    x, y = a.features.stacked("voxels", "voxels"), r.features.stacked("voxels", "voxels")
    distance, index = nearest(x, y, one_person(a, r))
    return Neighbours(distance / x.shape[1] ** 0.5, index)


def one_person(a: Material, r: Material) -> Tensor:
    """Return (N, M): which pairs of volumes are of one person, as far as that is known,
    or of one file.
    """
    people = equal(*([item.person for item in s.volumes.items] for s in (a, r)))
    return people | equal(*([file.sha256 for file in s.features.files] for s in (a, r)))


def equal(mine: Sequence[str], theirs: Sequence[str]) -> Tensor:
    """Return (N, M): which pairs of texts are equal and not empty."""
    numbers = {
        text: number for number, text in enumerate(dict.fromkeys([*mine, *theirs]), start=1)
    } | {"": 0}
    one, other = (torch.tensor([numbers[text] for text in texts]) for texts in (mine, theirs))
    return (one[:, None] == other[None, :]) & (one[:, None] > 0)


@dataclass(frozen=True)
class Chosen:
    """Which volumes of a set are compared with which."""

    ends: list[tuple[int, int]]  # pairs within the set
    nearest: list[tuple[int, int]]  # volumes of the set, and the nearest of the reference
    overlapping: list[tuple[int, int]]  # those whose tissues are laid on each other
    pairs: list[Pair]  # of files: ends, then nearest


def choose_pairs(a: Material, r: Material, config: Protocol, number: int) -> Chosen:
    """Return the pairs of the `number`-th set a and the reference r that are compared."""
    near = neighbours(a, r)
    ends = drawn_pairs(len(a), config.pairs, config.seed, number)
    have = torch.isfinite(near.distance).nonzero()[:, 0]  # all but the only person there is
    nearest, overlapping = (
        [(i, int(near.index[i])) for i in have[even(len(have), most)].tolist()]
        for most in (
            config.pairs,
            min(OVERLAPS, config.pairs) if config.morphology == "tissue" else 0,
        )
    )
    paths, real = a.volumes.paths, r.volumes.paths
    pairs = [Pair(paths[i], paths[j], "diversity") for i, j in ends]
    return Chosen(
        ends,
        nearest,
        overlapping,
        pairs + [Pair(paths[i], real[j], "likeness") for i, j in nearest],
    )


def likeness(a: Material, r: Material, chosen: Chosen, rows: Rows) -> dict[str, Tensor]:
    """Return the values of every comparison of volume with volume, by metric;
    `rows` holds those of files.
    """
    found = [rows[pair] for pair in chosen.pairs]
    there = [end for end, row in zip(chosen.ends, found, strict=False) if row]
    overlaps = [overlap(a, r, i, j) for i, j in chosen.overlapping]
    return by_metric([*found, *overlaps]) | {ENDS: torch.tensor(there).reshape(-1, 2)}


def overlap(a: Material, r: Material, i: int, j: int) -> dict[str, float]:
    """Return the Dice of each tissue of volume i of a with volume j of r,
    empty where one has no brain.
    """
    one, other = (s.features.only([k]) for s, k in ((a, i), (r, j)))
    x, y = (next(f.each("tissue", "labels")) for f in (one, other))
    if not len(x) or not len(y):
        return {}
    labels, others = (unpacked(v, f.shape(0)) for v, f in ((x, one), (y, other)))
    return {
        f"dice.{name}": dice(labels == n, others == n) for n, name in enumerate(CLASSES, start=1)
    }


def partners_of(a: Material, r: Material, config: Protocol) -> list[Pair]:
    """Return the pairs of volumes with the reference volume of the same name, none where
    there is none.
    """
    by_name = {item.name: item.path for item in r.volumes.items}
    pairs = [
        Pair(i.path, by_name[i.name], "likeness")
        for i in a.volumes.items
        if i.name in by_name and a is not r
    ]
    return [pairs[i] for i in even(len(pairs), config.pairs).tolist()]


def by_metric(rows: Sequence[dict[str, float]]) -> dict[str, Tensor]:
    """Return the values of each metric over the rows that have it."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {
        name: torch.tensor([row[name] for row in rows if name in row], dtype=torch.float64)
        for name in names
    }


def likeness_scores(
    values: dict[str, Tensor],
    own: dict[str, Tensor],
    rebuilt: dict[str, Tensor],
    sizes: tuple[int, int, int],
    draws: int,
) -> list[Score]:
    """Return a score for each comparison; beside it the reference's own and the reconstructions',
    each volume against those of other people. `sizes` are the numbers of samples, reference volumes
    and reconstructions, `draws` that of bootstrap samples.
    """
    n, m, k = sizes
    out = []
    for name, (label, better) in MEANT.items():
        if name not in values:
            continue
        score = mean_score(f"voxels/{name}", label, values[name], n, m, better)
        pairs = f"{len(values[name])} pairs"
        score = replace(score, note=pairs if name == "ms_ssim" else f"{pairs}. {BLUR}")
        if name == "ms_ssim":
            score = replace(score, interval=of_pairs(values[name], values[ENDS], n, draws))
        others = m if name == "ms_ssim" else m - 1
        columns = (
            ("samples", values, n, m),
            ("reconstruction", rebuilt, k, others),
            ("real", own, m, others),
        )
        beside = {
            kind: beside_of(found[name], x, y) for kind, found, x, y in columns if name in found
        }
        out.append(score.with_beside(**beside))
    return out


def of_pairs(values: Tensor, ends: Tensor, n: int, draws: int) -> intervals.Interval:
    """Return the interval of a mean over pairs (P,) of n volumes: volumes are drawn,
    not pairs, which share them.
    """
    weights = intervals.counts(n, draws, generator(Purpose.BOOTSTRAP, 0, 0))
    pairs = weights[:, ends[:, 0]] * weights[:, ends[:, 1]]
    return intervals.around(float(values.mean()), pairs @ values / pairs.sum(1))


def partner_scores(values: dict[str, Tensor], n: int, m: int) -> list[Score]:
    """Return SSIM and PSNR of volumes with their partners of the same name."""
    labels = {
        "ssim": "SSIM with the real volume of the same name",
        "psnr": "PSNR with the same, dB",
    }
    found = [
        mean_score(f"partner/{k}", v, values[k], n, m, "higher")
        for k, v in labels.items()
        if k in values
    ]
    return [replace(score, note=BLUR) for score in found]


def partner_distances(a: Material, r: Material, extractors: Sequence[str]) -> list[Score]:
    """Return the mean distance in features of volumes to the real volume of the
    same name, of each extractor.
    """
    where = {item.name: i for i, item in enumerate(r.volumes.items)}
    mine = [i for i, item in enumerate(a.volumes.items) if item.name in where]
    theirs = [where[a.volumes.items[i].name] for i in mine]
    out = []
    for name in extractors if mine else ():
        gap = (
            Points(a.features.only(mine), name).embedding
            - Points(r.features.only(theirs), name).embedding
        )
        label = "feature distance to the real volume of the same name"
        out.append(
            mean_score(f"{name}/partner", label, gap.double().norm(dim=1), len(a), len(r), "lower")
        )
    return out


def mean_score(key: str, label: str, values: Tensor, n: int, m: int, better: Better) -> Score:
    """Return the mean over values with its interval."""
    return Score(key, label, float(values.mean()), n, m, better, intervals.of_mean(values))


def beside_of(values: Tensor, n: int, m: int) -> Beside:
    """Return mean and standard deviation of values."""
    return Beside(float(values.mean()), float(values.std()) if len(values) > 1 else 0.0, n, m)


def plain(a: Material, r: Material, vae: str) -> dict[str, float]:
    """Return the figures of detail, latents and regions of set a against r, by key."""
    x, y = (s.features.stacked("spectrum", "high")[:, 0].double() for s in (a, r))
    values = {"spectrum/high": float(x.mean() / y.mean())}
    if vae:
        values |= latent_figures(a, r, f"latents:{vae}")
    if not a.sizes:
        return values
    near = neighbours(a, r)
    paired = torch.isfinite(near.distance).numpy()
    for region in (name for name in a.sizes if name in r.sizes):
        one, other = (s.sizes[region].numpy().astype(np.float64) for s in (a, r))
        found, real = one[np.isfinite(one)], other[np.isfinite(other)]
        if not len(found) or not len(real):
            continue
        values[f"regions/{region}/wasserstein"] = wasserstein(found, real)
        values[f"regions/{region}/kl"] = kl_divergence(found, real)
        beside = np.where(paired, other[near.index.numpy()], np.nan)
        both = np.isfinite(one) & np.isfinite(beside)
        values[f"regions/{region}/r"] = pearson(one[both], beside[both])
    return values


def segmented_score(a: Material, r: Material, method: str) -> list[Score]:
    """Return the share of volumes in which a brain was found at all, and that of the reference."""
    found = [torch.isfinite(next(iter(s.sizes.values()))) for s in (a, r) if s.sizes]
    if len(found) < 2:
        return []
    hits, n, m = int(found[0].sum()), len(a), len(r)
    label, interval = "volumes in which tissues were found", intervals.of_share(hits, n)
    score = Score("regions/found", label, hits / n, n, m, "higher", interval, note=method)
    return [score.with_beside(real=Beside(float(found[1].double().mean()), 0.0, m, m))]


def latent_figures(a: Material, r: Material, name: str) -> dict[str, float]:
    """Return the sliced Wasserstein distance of latents, and how far their channels'
    moments are off.
    """
    mean, std = channel_moments(a, name)
    real_mean, real_std = channel_moments(r, name)
    ratio = std / real_std
    along = (s.features.stacked(name, "directions") for s in (a, r))
    return {
        "latents/swd": float(wasserstein_squared(*along).mean().sqrt()),
        "latents/shift": float(((mean - real_mean) / real_std).abs().max()),
        "latents/spread": float(ratio[(ratio.log().abs()).argmax()]),
    }


def channel_moments(s: Material, name: str) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation (C,) of the latents' channels over voxels and volumes."""
    means, stds = (
        s.features.stacked(name, "mean").double(),
        s.features.stacked(name, "std").double(),
    )
    mean = means.mean(0)
    return mean, ((stds**2 + means**2).mean(0) - mean**2).sqrt()


def plain_scores(
    a: Material, r: Material, vae: str, weights: tuple[Tensor, Tensor], method: str
) -> list[Score]:
    """Return the scores of `plain`; `weights` are how often each volume is in each
    resampled set, of a and of r.
    """
    spread = resampled(a, r, vae, *weights)
    out = []
    for key, value in plain(a, r, vae).items():
        label, better = meaning(key)
        replicates = spread.get(key)
        interval = intervals.around(value, replicates, 0.0) if replicates is not None else None
        note = (
            (f"{method}. {BY_CHANCE}" if key.endswith("/kl") else method)
            if key.startswith("regions/")
            else ""
        )
        out.append(
            Score(
                key,
                label,
                value,
                len(a),
                len(r),
                better,
                interval,
                note=note,
                replicates=replicates,
            )
        )
    return out


def resampled(
    a: Material, r: Material, vae: str, counts_a: Tensor, counts_r: Tensor
) -> dict[str, Tensor]:
    """Return (B,) bootstrap replicates of detail, of the latents' distance
    and of the regions' distances.
    """
    high = [s.features.stacked("spectrum", "high")[:, 0].double() for s in (a, r)]
    out = {"spectrum/high": (counts_a @ high[0] / len(a)) / (counts_r @ high[1] / len(r))}
    drawn = list(zip(counts_a.long(), counts_r.long(), strict=True))
    columns = (
        {"latents/swd": [s.features.stacked(f"latents:{vae}", "directions") for s in (a, r)]}
        if vae
        else {}
    )
    for key, (one, other) in columns.items():
        values = [
            wasserstein_squared(one.repeat_interleave(p, 0), other.repeat_interleave(q, 0))
            for p, q in drawn
        ]
        out[key] = torch.stack([v.mean().sqrt() for v in values]).double()
    for region in (name for name in a.sizes if name in r.sizes):
        x, y = (s.sizes[region].numpy().astype(np.float64) for s in (a, r))
        x_there, y_there = np.isfinite(x), np.isfinite(y)
        if not x_there.any() or not y_there.any():
            continue
        weighted = [(p.numpy()[x_there], q.numpy()[y_there]) for p, q in drawn]
        distances = [
            stats.wasserstein_distance(x[x_there], y[y_there], p, q)
            if p.any() and q.any()
            else np.nan
            for p, q in weighted
        ]
        out[f"regions/{region}/wasserstein"] = torch.tensor(distances, dtype=torch.float64)
    return out


def meaning(key: str) -> tuple[str, Better]:
    """Return what a page calls a figure of `plain`, and where it is good."""
    fixed: dict[str, tuple[str, Better]] = {
        "spectrum/high": ("high-frequency energy over that of real volumes", "real"),
        "latents/swd": ("sliced Wasserstein of latents", "lower"),
        "latents/shift": ("largest shift of a channel's mean, in its deviations", "lower"),
        "latents/spread": ("channel deviation over the real one, the farthest from 1", "real"),
    }
    if key in fixed:
        return fixed[key]
    _, region, name = key.split("/")
    named: dict[str, tuple[str, Better]] = {
        "wasserstein": ("Wasserstein, ml", "lower"),
        "kl": ("Kullback-Leibler, nats", "lower"),
        "r": ("Pearson r with the nearest real volume", "higher"),
    }
    return f"{region}: {named[name][0]}", named[name][1]
