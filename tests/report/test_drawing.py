from dataclasses import replace

from neuromf.report.drawing import draw_network, many, megabytes, told
from neuromf.report.network import network_of
from report.support import CONFIG, SHAPE, TINY


def test_every_part_of_the_u_has_a_box():
    network = network_of(replace(CONFIG, network=replace(TINY, v_head_blocks=1)), SHAPE)
    [axes] = draw_network(network).axes
    texts = [t.get_text() for t in axes.texts if t.get_text()]
    assert len(axes.patches) == len(texts) == len(network.parts) - 1  # times has no place
    assert sum(t.startswith(("in\n", "out\n", "v head\n", "middle\n")) for t in texts) == 4


def test_what_a_box_says():
    part = network_of(CONFIG, SHAPE).parts[1]
    assert told(part).splitlines()[:2] == ["down 0", "16 channels · 8×8×8"]
    assert "MB" in told(part)
    assert told(network_of(CONFIG).parts[1]).splitlines()[1] == "16 channels"
    assert (many(1234), many(178_648_708)) == ("1.2 k", "178.65 M")
    assert (megabytes(1_500_000), megabytes(2_500_000_000)) == ("1.5 MB", "2.50 GB")
