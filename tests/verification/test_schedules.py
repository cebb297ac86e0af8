from neuromf.runtime.config import presets
from neuromf.verification.schedules import schedules


def test_every_preset_is_drawn_and_warm_up_begins_low():
    section = schedules()
    rates, shares = section.plot.axes
    assert [line.get_label() for line in rates.lines] == presets("train")
    assert len(shares.lines) == len(rates.lines)
    assert section.values["rate_before_warmup"] < 0.05
    assert section.values["rate_at_the_end"] == 0.05
