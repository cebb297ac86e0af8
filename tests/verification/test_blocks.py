from neuromf.nets import SMALL, DualTimeUNet
from neuromf.verification.blocks import blocks


def test_blocks_add_up_to_the_network():
    section = blocks()
    assert section.values["parameters_small"] == sum(
        p.numel() for p in DualTimeUNet(SMALL).parameters()
    )
    assert 178e6 < section.values["parameters_brain"] < 179e6
    for column, total in enumerate(section.values.values(), start=1):
        parts = [int(row[column].replace(",", "").replace("–", "0")) for row in section.rows]
        assert sum(parts[:-1]) == parts[-1] == total
