from neuromf.nets import SMALL, DualTimeUNet
from neuromf.verification.blocks import blocks


def test_parts_add_up_to_the_network():
    section = blocks()
    assert section.values["parameters_small"] == sum(
        p.numel() for p in DualTimeUNet(SMALL).parameters()
    )
    assert 178e6 < section.values["parameters_brain"] < 179e6
    for name in ("brain", "small"):
        *parts, total = (row for row in section.rows if row[0] == name)
        numbers = [int(row[2].replace(",", "")) for row in (*parts, total)]
        assert sum(numbers[:-1]) == numbers[-1] == section.values[f"parameters_{name}"]
        assert sum(float(row[4]) for row in parts) > 0.99 * float(total[4]) > 0
