"""What an evaluation says, in three sentences: what fails first, what is as in real
people, what cannot be told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from neuromf.evaluation.findings import LOOKS, listed
from neuromf.evaluation.score import FEWEST, TRUSTED, Score


@dataclass(frozen=True)
class Verdict:
    """Three sentences."""

    fails: str  # what tells the set from real people, the most visible first
    fine: str  # what does not
    unsure: str  # what these volumes and networks cannot tell


def verdict(
    scores: Sequence[Score], n: int, people: int, untrained: Sequence[str] = (), identical: int = 0
) -> Verdict:
    """Return what the scores of a set of n volumes say, against `people` held-out people.

    `untrained` are the names of extractors with random weights, `identical` is how many
    files are the reference's own.
    """
    found = {score.key: score for score in scores}
    findings = [finding for look in LOOKS for finding in look(found)]
    failing, fine, unsure = (
        [f.text for f in findings if f.state == s] for s in ("fails", "fine", "open")
    )

    return Verdict(
        failure(failing, fine, identical),
        f"As in real people: {listed(fine)}."
        if fine
        else "Nothing that was measured is shown to be as in real people.",
        doubt([*limits(found, n, people, untrained), *unsure]),
    )


def failure(failing: Sequence[str], fine: Sequence[str], identical: int) -> str:
    """Return the first sentence."""
    copies = f"; {identical} of the files are the reference's own" if identical else ""
    if failing:
        first, *rest = failing
        return f"Fails first: {first}{'. Then: ' if rest else ''}{'; '.join(rest)}{copies}."

    if not any(text.startswith("FID") for text in fine):
        return (
            "Nothing is shown to fail, but too little could be "
            f"evaluated to call the samples real{copies}."
        )

    return (
        "Nothing fails: by what was measured here, the samples "
        f"cannot be told from real people{copies}."
    )


def doubt(texts: Sequence[str]) -> str:
    """Return the third sentence."""
    return (
        f"Cannot be told: {'; '.join(texts)}."
        if texts
        else "Numbers and networks are enough for what is said here."
    )


def limits(found: dict[str, Score], n: int, people: int, untrained: Sequence[str]) -> Iterator[str]:
    """Yield what few volumes, untrained networks or missing training data leave open."""
    volumes = (
        f"{n} sample{'s' * (n != 1)} against {people} held-out "
        f"{'person' if people == 1 else 'people'}"
    )
    if min(n, people) < FEWEST:
        yield (
            f"how sure any value is ({volumes}: below {FEWEST} of either there are no intervals "
            "and no p values)"
        )
    elif min(n, people) < TRUSTED:
        yield f"small differences ({volumes}: below {TRUSTED} of either only large ones show)"

    if untrained:
        are = "is" if len(untrained) == 1 else "are"
        yield (
            f"how these distances compare with published ones ({listed(untrained)} {are} untrained)"
        )

    if not any(key.startswith("copies/") for key in found):
        yield "whether training data were copied (train= is not given)"
