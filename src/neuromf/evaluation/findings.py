"""What an evaluation finds of a set: detail, recall, distances, variety, copies, sizes of regions;
each fails, is as in real people, or is open.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

from neuromf.evaluation.score import FEWEST, Beside, Score

DETAIL = (0.8, 1.25)  # share of the real fine detail within which nobody sees a difference
WIDE_DETAIL = (0.5, 2.0)  # the same if volumes are too few for an interval; people differ less
RECALL = 0.5  # a set with less than this share of real people's recall fails
GOOD_RECALL = 0.8  # from this share of real people's recall on, a set is as good as they are
SPREADS = 2.0  # standard deviations over draws by which a value has to be off the real one
SIZES = ("brain", "GM", "WM", "ventricles", "hippocampus")  # regions that are looked at
OF_LESIONS = {"ml": "volume in ml", "components": "number", "contrast": "contrast"}
NO_COPIES = "no lesion mask is a copy of a training mask"

State = Literal["fails", "fine", "open"]


class Finding(NamedTuple):
    """One thing that was looked at, and what a sentence says of it."""

    state: State
    text: str


def detail(found: dict[str, Score]) -> Iterator[Finding]:
    """Yield whether the set has the fine detail of real volumes: the energy above
    half of the Nyquist frequency.
    """
    score = found.get("spectrum/high")
    if score is None:
        return

    real, ours = beside_real(score)
    share = ours / real
    low, high = DETAIL if score.interval else WIDE_DETAIL
    ceiling = score.beside.get("reconstruction")
    beside = f" (the VAE's own reconstructions keep {ceiling.mean / real:.0%})" if ceiling else ""
    text = f"{share:.0%} of the fine detail of real volumes{beside}"
    if share < low and (score.interval is None or score.interval.high < real):
        yield Finding("fails", f"the samples are too smooth, with {text}")
    elif share > high and (score.interval is None or score.interval.low > real):
        yield Finding("fails", f"the samples are too noisy, with {text}")
    elif (
        not low <= share <= high
        or score.interval is None
        or not (
            WIDE_DETAIL[0] * real < score.interval.low < score.interval.high < WIDE_DETAIL[1] * real
        )
    ):
        yield Finding("open", f"whether detail is right ({text})")
    else:
        yield Finding("fine", f"detail ({text})")


def recall(found: dict[str, Score]) -> Iterator[Finding]:
    """Yield whether the set covers how people differ, by each
    extractor's recall at equal numbers.
    """
    texts: dict[State, list[str]] = {"fails": [], "fine": [], "open": []}
    between: list[str] = []
    for name, score in each(found, "recall"):
        ours, real = score.beside.get("samples"), score.beside.get("real")
        if ours is None or real is None or real.n < FEWEST or real.mean < RECALL:
            texts["open"].append(name)
            continue
        text = f"{ours.mean:.2f} in {name}, real people {real.mean:.2f}"
        if RECALL * real.mean <= ours.mean < GOOD_RECALL * real.mean:
            between.append(text)
        else:
            texts["fails" if ours.mean < RECALL * real.mean else "fine"].append(text)

    yield from findings_of(
        texts, "most people are unlike any sample (recall {})", "recall ({})", "recall in {}"
    )
    if between:
        yield Finding("open", f"whether recall is that of real people ({'; '.join(between)})")


def distance(found: dict[str, Score]) -> Iterator[Finding]:
    """Yield whether the Fréchet distance of each extractor is that of real people, at
    equal numbers.
    """
    texts: dict[State, list[str]] = {"fails": [], "fine": [], "open": []}
    for name, score in each(found, "fid"):
        ours, real, reconstruction = (
            score.beside.get(kind) for kind in ("samples", "real", "reconstruction")
        )
        if ours is None or real is None or real.n < FEWEST:
            texts["open"].append(name)
            continue
        ceiling = f", the VAE's ceiling {reconstruction.mean:.3g}" if reconstruction else ""
        state: State = "fails" if beyond(ours, real) else "fine"
        texts[state].append(f"{ours.mean:.3g} in {name}, real people {real.mean:.3g}{ceiling}")

    yield from findings_of(
        texts, "features lie far from those of real people (FID {})", "FID ({})", "FID in {}"
    )


def variety(found: dict[str, Score]) -> Iterator[Finding]:
    """Yield whether volumes of the set differ from each other as people do."""
    score = found.get("voxels/ms_ssim")
    real = score.beside.get("real") if score else None
    if score is None or real is None or score.interval is None:
        return

    reach = SPREADS * real.std / math.sqrt(real.n)
    text = f"MS-SSIM between volumes {score.value:.2f}, real {real.mean:.2f}"
    if score.interval.low > real.mean + reach:
        yield Finding("fails", f"the samples are more alike than people are ({text})")
    elif score.interval.high < real.mean - reach:
        yield Finding("fails", f"the samples are less alike than people are ({text})")
    else:
        yield Finding("fine", f"variety ({text})")


def copying(found: dict[str, Score]) -> Iterator[Finding]:
    """Yield whether samples lie nearer to training volumes than held-out people do;
    smooth ones do without copying.
    """
    smooth = any(f.state == "fails" and "smooth" in f.text for f in detail(found))
    for key, score in found.items():
        expected = score.beside.get("real")
        if (
            not (key.startswith("copies/") and key.endswith("/flagged"))
            or score.interval is None
            or expected is None
        ):
            continue

        space = space_of(key)
        text = (
            f"{score.value:.0%} lie near training volumes in "
            f"{space}, {expected.mean:.0%} would without copying"
        )
        if score.interval.low <= expected.mean:
            yield Finding("fine", f"no sign of copies in {space} ({text})")
        elif smooth:
            yield Finding(
                "open", f"whether {space} show copies ({text}: smoothness alone does that)"
            )
        else:
            yield Finding("fails", f"the samples may be copies ({text}): look at the nearest pairs")


def anatomy(found: dict[str, Score]) -> Iterator[Finding]:
    """Yield whether tissues are found in every volume, and whether their sizes
    are spread as in real people.
    """
    score = found.get("regions/found")
    real = score.beside.get("real") if score else None
    if (
        score is not None
        and score.interval is not None
        and real is not None
        and score.interval.high < real.mean
    ):
        yield Finding("fails", f"no brain was found in {1 - score.value:.0%} of the samples")

    off: list[str] = []
    right: list[str] = []
    for region in SIZES:
        size = found.get(f"regions/{region}/wasserstein")
        ours, people = (size.beside.get(kind) if size else None for kind in ("samples", "real"))
        if ours is None or people is None or people.n < FEWEST:
            continue
        text = f"{region} {ours.mean:.3g} ml off, real {people.mean:.3g}"
        (off if beyond(ours, people) else right).append(text)

    if off:
        yield Finding("fails", f"sizes of regions ({', '.join(off)})")

    if right:
        yield Finding("fine", f"sizes of regions ({', '.join(right)})")


def lesions(found: dict[str, Score]) -> Iterator[Finding]:
    """Yield whether pairs have lesions, whether those are as large, as many and as bright as in
    real people, and whether masks are copies. Nothing where masks were not measured.
    """
    empty = found.get("lesions/empty")
    real = empty.beside.get("real") if empty else None
    if empty and empty.interval and real and empty.interval.low > real.mean:
        text = f"{empty.value:.0%} of the pairs have no lesion, {real.mean:.0%} of real ones"
        yield Finding("fails", text)

    off: list[str] = []
    right: list[str] = []
    for key, what in OF_LESIONS.items():
        score = found.get(f"lesions/{key}/wasserstein")
        ours, people = (score.beside.get(kind) if score else None for kind in ("samples", "real"))
        if ours is not None and people is not None and people.n >= FEWEST:
            text = f"{what} {ours.mean:.3g} off, real {people.mean:.3g}"
            (off if beyond(ours, people) else right).append(text)
    if off:
        yield Finding("fails", f"lesions ({', '.join(off)})")
    if right:
        yield Finding("fine", f"lesions ({', '.join(right)})")

    copies = found.get("lesions/training/copies")
    if copies is not None and copies.interval is not None:
        text = f"{copies.value:.0%} of the lesion masks are copies of training masks"
        yield Finding("fails" if copies.value else "fine", text if copies.value else NO_COPIES)


LOOKS: tuple[Callable[[dict[str, Score]], Iterator[Finding]], ...] = (
    *(detail, recall, distance),  # what one sees first comes first
    *(variety, copying, anatomy, lesions),
)


def findings_of(
    texts: dict[State, list[str]], fails: str, fine: str, unsure: str
) -> Iterator[Finding]:
    """Yield one finding for each state that occurs; each text has a place for the extractors."""
    if texts["fails"]:
        yield Finding("fails", fails.format("; ".join(texts["fails"])))
    if texts["fine"]:
        yield Finding("fine", fine.format("; ".join(texts["fine"])))
    if texts["open"]:
        few = "too few volumes for a real-vs-real reference"
        yield Finding("open", f"{unsure.format(listed(texts['open']))}: {few}")


def beside_real(score: Score) -> tuple[float, float]:
    """Return a metric that is a ratio to real volumes: first its value for real
    volumes, then for the set, at equal numbers where these are known.
    """
    real, ours = score.beside.get("real"), score.beside.get("samples")
    return (real.mean, ours.mean) if real and ours else (1.0, score.value)


def beyond(ours: Beside, real: Beside) -> bool:
    """Return True if a distance is larger than the real-vs-real reference by more
    than draws of volumes explain.
    """
    return ours.mean > real.mean + SPREADS * math.hypot(ours.std, real.std)


def each(found: dict[str, Score], metric: str) -> Iterator[tuple[str, Score]]:
    """Yield extractor and score of a metric that every extractor has."""
    for key, score in found.items():
        name, _, last = key.rpartition("/")
        if last == metric and name:
            yield name, score


def space_of(key: str) -> str:
    """Return the space of a score of copies; the name of an extractor of one's own is a path."""
    return key.removeprefix("copies/").removesuffix("/flagged")


def listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence."""
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1] if words else ""
