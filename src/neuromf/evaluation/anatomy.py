"""Figures of the volumes themselves: likeness and diversity, detail, latents, sizes of regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from neuromf.evaluation.distribution import Points, even
from neuromf.evaluation.images import Pair, compare_pairs, drawn_pairs
from neuromf.evaluation.material import Bench, Material
from neuromf.evaluation.score import Beside, Better, Score
from neuromf.metrics import intervals
from neuromf.metrics.distances import wasserstein_squared
from neuromf.metrics.manifold import nearest
from neuromf.metrics.regions import kl_divergence, pearson, wasserstein

OVERLAPS = 40  # pairs whose tissues are laid on each other: each is segmented twice
MEANT: dict[str, tuple[str, Better]] = {
    "ms_ssim": ("MS-SSIM between volumes of the set (less is more diverse)", "real"),
    "ssim": ("SSIM to the nearest real volume", "higher"),
    "psnr": ("PSNR to the nearest real volume, dB", "higher"),
    "dice.CSF": ("Dice of fluid with the nearest real volume", "higher"),
    "dice.GM": ("Dice of grey matter with the nearest real volume", "higher"),
    "dice.WM": ("Dice of white matter with the nearest real volume", "higher"),
}


@dataclass(frozen=True)
class Neighbours:
    """The nearest reference volume of each volume of a set, by coarse voxels: root mean square distance and index."""

    distance: Tensor
    index: Tensor


def neighbours(a: Material, r: Material) -> Neighbours:
    """Return the nearest reference volume of each volume, of another person and another file."""
    x, y = a.features.stacked("voxels", "voxels"), r.features.stacked("voxels", "voxels")
    distance, index = nearest(x, y, one_person(a, r))
    return Neighbours(distance / x.shape[1] ** 0.5, index)


def one_person(a: Material, r: Material) -> Tensor:
    """Return (N, M): which pairs of volumes are of one person, as far as that is known, or of one file."""
    people = equal(*([item.person for item in s.volumes.items] for s in (a, r)))
    return people | equal(*([file.sha256 for file in s.features.files] for s in (a, r)))


def equal(mine: Sequence[str], theirs: Sequence[str]) -> Tensor:
    """Return (N, M): which pairs of texts are equal and not empty."""
    numbers = {text: number for number, text in enumerate(dict.fromkeys([*mine, *theirs]), start=1)} | {"": 0}
    one, other = (torch.tensor([numbers[text] for text in texts]) for texts in (mine, theirs))
    return (one[:, None] == other[None, :]) & (one[:, None] > 0)


def likeness(a: Material, r: Material, bench: Bench, number: int) -> dict[str, Tensor]:
    """Return the values of every comparison of volume with volume, by metric."""
    config, paths, real = bench.config, a.volumes.paths, r.volumes.paths
    near = neighbours(a, r)
    order = even(len(a), config.pairs).tolist()
    pairs = [Pair(paths[i], paths[j], "diversity") for i, j in drawn_pairs(len(a), config.pairs, config.seed, number)]
    if torch.isfinite(near.distance).all():
        pairs += [Pair(paths[i], real[int(near.index[i])], "likeness") for i in order]
        if config.morphology == "tissue":
            overlapping = even(len(a), min(OVERLAPS, config.pairs)).tolist()
            pairs += [Pair(paths[i], real[int(near.index[i])], "overlap") for i in overlapping]
    return by_metric(compare_pairs(pairs, a.features.job, bench.workers, f"{a.name}, pairs"))


def partners(a: Material, r: Material, bench: Bench) -> dict[str, Tensor]:
    """Return SSIM and PSNR of volumes with the reference volume of the same name, empty where there is none."""
    by_name = {item.name: item.path for item in r.volumes.items}
    pairs = [Pair(i.path, by_name[i.name], "likeness") for i in a.volumes.items if i.name in by_name and a is not r]
    chosen = [pairs[i] for i in even(len(pairs), bench.config.pairs).tolist()] if pairs else []
    return by_metric(compare_pairs(chosen, a.features.job, bench.workers, f"{a.name}, partners")) if chosen else {}


def by_metric(rows: Sequence[dict[str, float]]) -> dict[str, Tensor]:
    """Return the values of each metric over the rows that have it."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: torch.tensor([row[name] for row in rows if name in row], dtype=torch.float64) for name in names}


def likeness_scores(
    values: dict[str, Tensor], own: dict[str, Tensor], rebuilt: dict[str, Tensor], sizes: tuple[int, int, int]
) -> list[Score]:
    """Return a score for each comparison; beside it the reference's own and the reconstructions', each volume against
    those of other people. `sizes` are the numbers of samples, reference volumes and reconstructions.
    """
    n, m, k = sizes
    out = []
    for name, (label, better) in MEANT.items():
        if name not in values:
            continue
        score = mean_score(f"voxels/{name}", label, values[name], n, m, better)
        others = m if name == "ms_ssim" else m - 1
        real = beside_of(own[name], m, others) if name in own else None
        out.append(
            score.with_beside(
                reconstruction=beside_of(rebuilt[name], k, others) if name in rebuilt else None, real=real
            )
        )
    return out


def partner_scores(values: dict[str, Tensor], n: int, m: int) -> list[Score]:
    """Return SSIM and PSNR of volumes with their partners of the same name."""
    labels = {"ssim": "SSIM with the real volume of the same name", "psnr": "PSNR with the same, dB"}
    return [mean_score(f"partner/{k}", v, values[k], n, m, "higher") for k, v in labels.items() if k in values]


def partner_distances(a: Material, r: Material, extractors: Sequence[str]) -> list[Score]:
    """Return the mean distance in features of volumes to the real volume of the same name, of each extractor."""
    where = {item.name: i for i, item in enumerate(r.volumes.items)}
    mine = [i for i, item in enumerate(a.volumes.items) if item.name in where]
    theirs = [where[a.volumes.items[i].name] for i in mine]
    out = []
    for name in extractors if mine else ():
        gap = Points(a.features.only(mine), name).embedding - Points(r.features.only(theirs), name).embedding
        label = "feature distance to the real volume of the same name"
        out.append(mean_score(f"{name}/partner", label, gap.double().norm(dim=1), len(a), len(r), "lower"))
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
    near = neighbours(a, r).index.numpy() if a.sizes else None
    for region in (name for name in a.sizes if name in r.sizes):
        one, other = (s.sizes[region].numpy().astype(np.float64) for s in (a, r))
        values[f"regions/{region}/wasserstein"] = wasserstein(one, other)
        values[f"regions/{region}/kl"] = kl_divergence(one, other)
        values[f"regions/{region}/r"] = pearson(one, other[near])
    return values


def latent_figures(a: Material, r: Material, name: str) -> dict[str, float]:
    """Return the sliced Wasserstein distance of latents, and how far their channels' moments are off."""
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
    means, stds = s.features.stacked(name, "mean").double(), s.features.stacked(name, "std").double()
    mean = means.mean(0)
    return mean, ((stds**2 + means**2).mean(0) - mean**2).sqrt()


def plain_scores(a: Material, r: Material, vae: str, weights: tuple[Tensor, Tensor], method: str) -> list[Score]:
    """Return the scores of `plain`; `weights` are how often each volume is in each resampled set, of a and of r."""
    spread = resampled(a, r, vae, *weights)
    out = []
    for key, value in plain(a, r, vae).items():
        label, better = meaning(key)
        replicates = spread.get(key)
        interval = intervals.around(value, replicates, 0.0) if replicates is not None else None
        note = method if key.startswith("regions/") else ""
        out.append(Score(key, label, value, len(a), len(r), better, interval, note=note, replicates=replicates))
    return out


def resampled(a: Material, r: Material, vae: str, counts_a: Tensor, counts_r: Tensor) -> dict[str, Tensor]:
    """Return (B,) bootstrap replicates of detail, of the latents' distance and of the regions' distances."""
    x, y = (s.features.stacked("spectrum", "high")[:, 0].double() for s in (a, r))
    out = {"spectrum/high": (counts_a @ x / len(x)) / (counts_r @ y / len(y))}
    drawn = list(zip(counts_a.long(), counts_r.long(), strict=True))
    columns = {"latents/swd": [s.features.stacked(f"latents:{vae}", "directions") for s in (a, r)]} if vae else {}
    for key, (one, other) in columns.items():
        values = [wasserstein_squared(one.repeat_interleave(p, 0), other.repeat_interleave(q, 0)) for p, q in drawn]
        out[key] = torch.stack([v.mean().sqrt() for v in values]).double()
    for region in (name for name in a.sizes if name in r.sizes):
        sizes = [s.sizes[region].numpy().astype(np.float64) for s in (a, r)]
        distances = [stats.wasserstein_distance(*sizes, p.numpy(), q.numpy()) for p, q in drawn]
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
