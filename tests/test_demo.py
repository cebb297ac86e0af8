"""The demo in small: every step, and the page that tells of it."""

import functools
import io
import shlex
import shutil
from pathlib import Path

import pytest
from PIL import Image

from neuromf import demo
from neuromf.demo import DemoConfig, loss_curve, mean_seconds, run, training_config
from neuromf.phantoms.config import PhantomConfig
from neuromf.reporting.plots import DPI, png
from neuromf.runtime import config as settings
from neuromf.verbs import VERBS
from reporting.support import check_page

QUICK = {
    "network.channels": "[16,32]", "network.attention": "[false,true]", "network.attention_head_channels": "[0,16]",
    "network.res_blocks": "1", "network.norm_groups": "4",
}  # fmt: skip


def test_the_whole_chain(tmp_path, capsys, monkeypatch, coarse_mni152):
    coarse = functools.partial(PhantomConfig, spacing=4.0, shape=(40, 48, 40), workers=1)
    monkeypatch.setattr(demo, "PhantomConfig", coarse)
    config = DemoConfig(brains=1, phantoms=20, updates=3, batch=2, samples=2, training=QUICK)
    page = run(config, tmp_path / "demo")
    alts = [i["alt"] for i in check_page(page.read_text(), "demo").all("img")]
    assert sum(alt.startswith("sample in") for alt in alts) == 4
    phantoms, back = (
        [alt for alt in alts if alt.startswith(kind)] for kind in ("phantom", "reconstruction")
    )
    assert len(phantoms) == len(back) >= 2
    assert alts.count("generated brain") == alts.count("MNI152 average") == 1
    hints = [shlex.split(line) for line in capsys.readouterr().out.splitlines()[-4:]]
    for words in hints:
        assert shutil.which(words[0]) or Path(words[0]).is_file()
        verb = next(word for word in words if word in VERBS)
        assert f"out={tmp_path}/" in words[-1], verb
    looks = sorted((tmp_path / "demo" / "train" / "samples").glob("*.png"))
    assert [int(p.stem.split("-")[1]) for p in looks] == [1, 2, 3]
    again = run(config, tmp_path / "demo", resume=True)
    assert again.read_text().count('alt="sample in') == 4


def test_the_preset_is_shortened(tmp_path):
    config = training_config(DemoConfig(updates=100), tmp_path)
    assert (config.updates, config.batch, config.ema) == (100, 4, (0.8,))
    assert config.samples.every == 34  # 34, 68, 100: no look just before the last
    assert config.network.channels == (16, 64, 96)


def test_the_seconds_of_an_update_are_those_of_the_whole_run():
    rows = [
        {"update": str(u), "seconds_per_update": str(s)}
        for u, s in ((1, 9.0), (10, 1.0), (20, 2.0))
    ]
    assert mean_seconds(rows) == pytest.approx((9 + 9 * 1 + 10 * 2) / 20)


def test_loss_curve_is_a_figure():
    rows = [
        {"update": str(i), "raw": "2", "raw_equal": "3", "raw_interval": "nan"} for i in range(3)
    ]
    figure = loss_curve(rows)
    assert [len(line.get_xdata()) for line in figure.axes[0].lines] == [3, 3, 3]
    with Image.open(io.BytesIO(png(figure))) as image:
        assert image.size == (7 * DPI, 3 * DPI)


def test_too_few_phantoms_are_refused():
    with pytest.raises(settings.ConfigError, match="20 phantoms or more"):
        settings.load(DemoConfig, ["phantoms=3"], "demo")


def test_the_last_commands_work_in_folders_with_spaces(tmp_path):
    out = tmp_path / "my runs" / "demo"
    commands = [
        line for line in demo.ending(out / "index.html", out).splitlines() if line[:2] == "  "
    ]
    assert len(commands) == 4
    for line in commands:
        assert shlex.split(line)[-1].startswith(f"out={tmp_path / 'my runs'}/")
