"""The demo in small: every step, and the page that tells of it."""

import numpy as np
import pytest

from neuromf import config as settings
from neuromf.demo import DemoConfig, loss_curve, run, training_config

QUICK = {
    "network.channels": "[16,32]", "network.attention": "[false,true]", "network.head_channels": "[0,16]",
    "network.res_blocks": "1", "network.norm_groups": "4",
}  # fmt: skip


def test_the_whole_chain(tmp_path, capsys):
    config = DemoConfig(phantoms=20, updates=3, batch=2, samples=2, training=QUICK)
    page = run(config, tmp_path / "demo")
    text = page.read_text()
    assert text.count('alt="generated"') == 4
    assert text.count('alt="phantom"') == text.count('alt="reconstruction"') >= 2
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in said[-3:]] == [["neuromf", v] for v in ("prepare", "train", "generate")]
    again = run(config, tmp_path / "demo", resume=True)
    assert again.read_text().count('alt="generated"') == 4


def test_the_preset_is_shortened(tmp_path):
    config = training_config(DemoConfig(updates=100), tmp_path)
    assert (config.updates, config.batch, config.ema) == (100, 8, (0.8,))
    assert config.network.channels == (16, 64, 96)


def test_loss_curve_is_a_picture():
    rows = [{"update": str(i), "raw": "2", "raw_equal": "3", "raw_interval": "nan"} for i in range(3)]
    picture = loss_curve(rows)
    assert picture.dtype == np.uint8
    assert picture.shape == (330, 770)


def test_too_few_phantoms_are_refused():
    with pytest.raises(settings.ConfigError, match="20 phantoms or more"):
        settings.load(DemoConfig, ["phantoms=3"], "demo")
