"""Figures of the volumes themselves: likeness and diversity, detail, latents, sizes of regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
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
    """Return the nearest reference volume of each volume; not itself, nor another scan of the same file."""
    x, y = a.features.stacked("voxels", "voxels"), r.features.stacked("voxels", "voxels")
    mine, theirs = [f.sha256 for f in a.features.files], [f.sha256 for f in r.features.files]
    same = torch.tensor([[i == j for j in theirs] for i in mine])
    distance, index = nearest(x, y, same)
    return Neighbours(distance / x.shape[1] ** 0.5, index)


def likeness(a: Material, r: Material, bench: Bench, number: int) -> dict[str, Tensor]:
    """Return the values of every comparison of volume with volume, by metric."""
    config, paths, real = bench.config, a.volumes.paths, r.volumes.paths
    near = neighbours(a, r)
    order = even(len(a), config.pairs).tolist()
    pairs = [Pair(paths[i], paths[j], "diversity") for i, j in drawn_pairs(len(a), config.pairs, config.seed, number)]
    if a is not r or len(r) > 1:
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


def likeness_scores(values: dict[str, Tensor], own: dict[str, Tensor], n: int, m: int) -> list[Score]:
    """Return a score for each comparison; beside it the reference's own, each volume against the others."""
    out = []
    for name, (label, better) in MEANT.items():
        if name not in values:
            continue
        score = mean_score(f"voxels/{name}", label, values[name], n, m, better)
        beside = beside_of(own[name], m, m - 1 if name != "ms_ssim" else m) if name in own else None
        out.append(score.with_beside(real=beside))
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


def detail_scores(a: Material, r: Material, counts_a: Tensor, counts_r: Tensor) -> list[Score]:
    """Return the ratio of high-frequency energy, set over reference."""
    x, y = (s.features.stacked("spectrum", "high")[:, 0].double() for s in (a, r))
    value = float(x.mean() / y.mean())
    spread = (counts_a @ x / len(x)) / (counts_r @ y / len(y))
    interval = intervals.around(value, spread, 0.0)
    label = "high-frequency energy, samples over real"
    score = Score("spectrum/high", label, value, len(a), len(r), "real", interval, replicates=spread)
    return [score.with_beside(real=Beside(1.0, float(((counts_r @ y) / len(y)).std() / y.mean()), len(r), len(r)))]


def latent_scores(a: Material, r: Material, vae: str, counts_a: Tensor, counts_r: Tensor) -> list[Score]:
    """Return the sliced Wasserstein distance of latents, and how far means and spreads of their channels are off."""
    name = f"latents:{vae}"
    along = [s.features.stacked(name, "directions") for s in (a, r)]
    value = float(wasserstein_squared(*along).mean().sqrt())
    spread = [
        wasserstein_squared(along[0].repeat_interleave(p, 0), along[1].repeat_interleave(q, 0)).mean().sqrt()
        for p, q in zip(counts_a.long(), counts_r.long(), strict=True)
    ]
    replicates = torch.stack(spread).double()
    interval = intervals.around(value, replicates, 0.0)
    out = [
        Score(
            "latents/swd",
            "sliced Wasserstein of latents",
            value,
            len(a),
            len(r),
            "lower",
            interval,
            replicates=replicates,
        )
    ]
    mean, std, real_mean, real_std = channel_moments(a, r, name)
    shift = float(((mean - real_mean) / real_std).abs().max())
    out.append(Score("latents/shift", "largest shift of a channel's mean, in its deviations", shift, len(a), len(r)))
    ratio = std / real_std
    worst = float(ratio[(ratio.log().abs()).argmax()])
    out.append(
        Score(
            "latents/spread", "channel deviation over the real one, the farthest from 1", worst, len(a), len(r), "real"
        )
    )
    return out


def channel_moments(a: Material, r: Material, name: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return mean and standard deviation (C,) of the latents' channels over voxels and volumes, of both sets."""
    out: list[Tensor] = []
    for s in (a, r):
        means, stds = s.features.stacked(name, "mean").double(), s.features.stacked(name, "std").double()
        mean = means.mean(0)
        out += [mean, ((stds**2 + means**2).mean(0) - mean**2).sqrt()]
    return out[0], out[1], out[2], out[3]


def region_scores(
    a: Material, r: Material, sizes: dict[str, Tensor], real: dict[str, Tensor], method: str
) -> list[Score]:
    """Return for each region the Wasserstein distance in ml, the divergence, and r with the nearest real volume."""
    near = neighbours(a, r)
    out = []
    for region, values in sizes.items():
        x, y = values.numpy().astype(np.float64), real[region].numpy().astype(np.float64)
        chance = np.random.default_rng(0)
        halves = [halved(y, chance) for _ in range(50)] if len(y) >= 4 else []
        for name, label, function in (
            ("wasserstein", "Wasserstein, ml", wasserstein),
            ("kl", "Kullback-Leibler, nats", kl_divergence),
        ):
            score = Score(
                f"regions/{region}/{name}", f"{region}: {label}", function(x, y), len(a), len(r), "lower", note=method
            )
            bound = torch.tensor([function(one, other) for one, other in halves], dtype=torch.float64)
            out.append(score.with_beside(real=beside_of(bound, len(y) // 2, len(y) // 2) if halves else None))
        label = f"{region}: Pearson r with the nearest real volume"
        r_value = pearson(x, y[near.index.numpy()])
        out.append(Score(f"regions/{region}/r", label, r_value, len(a), len(r), "higher", note=method))
    return out


def halved(values: np.ndarray, chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return two random halves of values."""
    order = chance.permutation(len(values))
    half = len(values) // 2
    return values[order[:half]], values[order[half : 2 * half]]
