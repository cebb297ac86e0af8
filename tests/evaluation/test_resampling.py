"""Equal numbers: halves that share nobody, reconstructions of the right people, draws that repeat."""

from neuromf.evaluation.resampling import Reconstructions, at_equal_numbers, subset


class Names(tuple):
    """A set of names."""

    def only(self, indices):
        return Names(self[i] for i in indices)


def people(n, prefix="p"):
    return Names(f"{prefix}{i}" for i in range(n))


def test_halves_share_nobody():
    seen = []
    reference = people(11)

    def values(a, r):
        seen.append((set(a), set(r)))
        return {"size": float(len(a)), "shared": float(len(set(a) & set(r)))}

    found = at_equal_numbers({"s": people(30, "s")}, reference, None, None, values, draws=6, seed=0)
    size = found["s"]["size"]["samples"]
    assert (size.mean, size.n, size.reference) == (5, 5, 6)
    assert found["s"]["shared"]["real"].mean == 0
    assert "reconstruction" not in found["s"]["shared"]
    assert len({frozenset(r) for _, r in seen}) == 6  # another half each time


def test_reconstructions_are_of_the_people_that_are_compared():
    """Each draw has as many of them as of the others, of the same people, against a half without these."""
    seen = []

    def values(a, r):
        seen.append((tuple(a), tuple(r)))
        return {"shared": float(len({x.removeprefix("y") for x in a} & set(r)))}

    of = [9, 2, 4, 7, 0]
    reconstructions = Reconstructions(Names(f"y{people(12)[i]}" for i in of), of)
    found = at_equal_numbers(
        {"s": people(9, "s")}, people(12), None, reconstructions, values, draws=10, seed=1
    )
    beside = found["s"]["shared"]
    assert list(beside) == ["samples", "reconstruction", "real"]
    assert beside["reconstruction"].mean == beside["real"].mean == 0
    assert {value.n for value in beside.values()} == {5}
    for real, reconstructed in zip(seen[1::3], seen[2::3], strict=True):
        assert {f"y{name}" for name in real[0]} == set(reconstructed[0])
        assert real[1] == reconstructed[1]


def test_a_second_real_set_meets_the_whole_reference():
    def values(a, r):
        return {"sizes": float(100 * len(a) + len(r))}

    found = at_equal_numbers(
        {"s": people(7, "s")}, people(5), people(20, "q"), None, values, draws=3, seed=0
    )
    beside = found["s"]["sizes"]
    assert beside["samples"].mean == beside["real"].mean == 705


def test_the_smallest_set_gives_the_number():
    sets = {"a": people(3, "a"), "b": people(50, "b")}
    found = at_equal_numbers(sets, people(20), None, None, lambda a, r: {"x": float(len(a))}, 2, 0)
    assert {found[s]["x"][kind].mean for s in "ab" for kind in ("samples", "real")} == {3}


def test_sets_may_be_called_anything():
    """Also what references are called."""
    sets = {"real": people(9, "s"), "reconstruction": people(9, "t")}
    found = at_equal_numbers(
        sets, people(20), None, None, lambda a, r: {"x": float(a[0][0] == "p")}, 2, 0
    )
    for beside in (found["real"]["x"], found["reconstruction"]["x"]):
        assert (beside["samples"].mean, beside["real"].mean) == (0, 1)


def test_too_few_people_give_no_reference():
    assert (
        at_equal_numbers({"s": people(5)}, people(3), None, None, lambda a, r: {"x": 0.0}, 2, 0)
        == {}
    )


def test_draws_repeat():
    whole = people(30)
    assert subset(whole, 5, 0, 1, 2) == subset(whole, 5, 0, 1, 2)
    assert subset(whole, 5, 0, 1, 2) != subset(whole, 5, 0, 2, 2)
