"""Equal numbers: halves that share nobody, reconstructions of the right people, draws that repeat."""

from neuromf.evaluation.resampling import Figures, Rebuilt, at_equal_numbers, subset


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

    found = at_equal_numbers(
        {"s": people(30, "s")}, reference, None, None, figures, draws=6, seed=0
    )
    assert (found.sets["s"]["size"].mean, found.sets["s"]["size"].n, found.sets["s"]["size"].m) == (
        5,
        5,
        6,
    )
    assert found.real["shared"].mean == 0
    assert found.reconstruction == {}
    assert len({frozenset(r) for _, r in seen}) == 6  # another half each time


def test_reconstructions_are_of_the_people_that_are_compared():
    """Each draw has as many of them as of the others, of the same people, against a half without these."""
    seen = []

    def figures(a, r):
        seen.append((tuple(a), tuple(r)))
        return {"shared": float(len({x.removeprefix("y") for x in a} & set(r)))}

    of = [9, 2, 4, 7, 0]
    rebuilt = Rebuilt(Names(f"y{people(12)[i]}" for i in of), of)
    found = at_equal_numbers(
        {"s": people(9, "s")}, people(12), None, rebuilt, figures, draws=10, seed=1
    )
    assert found.reconstruction["shared"].mean == found.real["shared"].mean == 0
    assert (
        found.reconstruction["shared"].n
        == found.real["shared"].n
        == found.sets["s"]["shared"].n
        == 5
    )
    for real, rebuilt_ in zip(seen[1::3], seen[2::3], strict=True):
        assert {f"y{name}" for name in real[0]} == set(rebuilt_[0])
        assert real[1] == rebuilt_[1]


def test_a_second_real_set_meets_the_whole_reference():
    def figures(a, r):
        return {"sizes": float(100 * len(a) + len(r))}

    found = at_equal_numbers(
        {"s": people(7, "s")}, people(5), people(20, "q"), None, figures, draws=3, seed=0
    )
    assert found.sets["s"]["sizes"].mean == found.real["sizes"].mean == 705


def test_the_smallest_set_gives_the_number():
    sets = {"a": people(3, "a"), "b": people(50, "b")}
    found = at_equal_numbers(sets, people(20), None, None, lambda a, r: {"x": float(len(a))}, 2, 0)
    assert found.sets["a"]["x"].mean == found.sets["b"]["x"].mean == found.real["x"].mean == 3


def test_sets_may_be_called_anything():
    """Also what the bounds are called."""
    sets = {"real": people(9, "s"), "reconstruction": people(9, "t")}
    found = at_equal_numbers(
        sets, people(20), None, None, lambda a, r: {"x": float(a[0][0] == "p")}, 2, 0
    )
    assert found.sets["real"]["x"].mean == found.sets["reconstruction"]["x"].mean == 0
    assert found.real["x"].mean == 1


def test_too_few_people_give_no_bound():
    assert (
        at_equal_numbers({"s": people(5)}, people(3), None, None, lambda a, r: {"x": 0.0}, 2, 0)
        == Figures()
    )


def test_draws_repeat():
    whole = people(30)
    assert subset(whole, 5, 0, 1, 2) == subset(whole, 5, 0, 1, 2)
    assert subset(whole, 5, 0, 1, 2) != subset(whole, 5, 0, 2, 2)
