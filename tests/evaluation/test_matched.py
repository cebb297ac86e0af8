"""Equal numbers: halves that share nobody, reconstructions of the right people, draws that repeat."""

import pytest

from neuromf.evaluation.matched import at_equal_numbers, subset


class Names(tuple):
    """A set of names."""

    def only(self, indices):
        return Names(self[i] for i in indices)


def people(n, prefix="p"):
    return Names(f"{prefix}{i}" for i in range(n))


def test_halves_share_nobody():
    seen = []
    reference = people(11)

    def figures(a, r):
        seen.append((set(a), set(r)))
        return {"size": float(len(a)), "shared": float(len(set(a) & set(r)))}

    found = at_equal_numbers({"s": people(30, "s")}, reference, None, None, figures, draws=6, seed=0)
    assert (found["s"]["size"].mean, found["s"]["size"].n, found["s"]["size"].m) == (5, 5, 6)
    assert found["real"]["shared"].mean == 0
    assert len({frozenset(r) for _, r in seen}) == 6  # another half each time


def test_reconstructions_are_of_the_people_that_are_compared():
    def figures(a, r):
        return {"shared": float(len({x.removeprefix("y") for x in a} & set(r)))}

    rebuilt = Names(f"y{name}" for name in people(8))  # of the first eight
    found = at_equal_numbers({"s": people(9, "s")}, people(12), None, rebuilt, figures, draws=10, seed=1)
    assert found["reconstruction"]["shared"].mean == 0
    assert found["reconstruction"]["shared"].n <= 6


def test_a_second_real_set_meets_the_whole_reference():
    def figures(a, r):
        return {"sizes": float(100 * len(a) + len(r))}

    found = at_equal_numbers({"s": people(7, "s")}, people(5), people(20, "q"), None, figures, draws=3, seed=0)
    assert found["s"]["sizes"].mean == found["real"]["sizes"].mean == 705


def test_the_smallest_set_gives_the_number():
    found = at_equal_numbers(
        {"a": people(3, "a"), "b": people(50, "b")},
        people(20),
        None,
        None,
        lambda a, r: {"n": float(len(a)), "x": len(a)},
        2,
        0,
    )
    assert found["a"]["x"].mean == found["b"]["x"].mean == found["real"]["x"].mean == 3


def test_too_few_people_give_no_bound():
    assert at_equal_numbers({"s": people(5)}, people(3), None, None, lambda a, r: {"x": 0.0}, 2, 0) == {}


def test_draws_repeat():
    whole = people(30)
    assert subset(whole, 5, 0, 1, 2) == subset(whole, 5, 0, 1, 2)
    assert subset(whole, 5, 0, 1, 2) != subset(whole, 5, 0, 2, 2)
    with pytest.raises(IndexError):
        whole.only([99])
