from neuromf.features.measure import PLANES, Measure, fingerprint


def test_fingerprint_tells_parts_apart():
    assert fingerprint("a", 1) == fingerprint("a", 1)
    assert len({fingerprint(*p) for p in (("a", 1), ("a", 2), ("a1",), ("b", 1))}) == 4


def test_keys_are_those_of_the_kind():
    measures = [Measure("m", "0" * 64, "M", dict, kind) for kind in ("2.5d", "3d", "numbers")]
    assert [m.keys for m in measures] == [PLANES, ("volume",), ()]
