import shutil

import pytest
from PIL import Image

from neuromf.cli import VERBS
from neuromf.invoke import run_verb
from neuromf.latents import StoreError
from neuromf.latents.inspection import OUTPUT, InspectConfig, run
from neuromf.latents.statistics import LatentStats
from neuromf.runtime.folders import foreign_files
from reporting.support import check_page


def test_it_prints_and_draws(store_folder, tmp_path, capsys):
    run_verb("inspect", VERBS["inspect"], [str(store_folder), f"out={tmp_path / 'out'}"])
    said = capsys.readouterr().out
    assert "12 latents (4, 5, 6, 5) (8 train, 2 val, 2 test), 8 training subjects" in said
    assert "largest correlation of two channels 0.817" in said
    with Image.open(tmp_path / "out" / "latents.png") as image:
        assert image.width > 1000
    page = check_page((tmp_path / "out" / "index.html").read_text(), "inspect")
    for words in ("12 latents of shape 4 × 5 × 6 × 5 (8 train, 2 val, 2 test)", "is 0.817"):
        assert words in page.text
    stats = LatentStats.load(tmp_path / "out")
    numbers = [f"{v:.4f}" for row in zip(stats.mean, stats.std, strict=True) for v in row]
    assert all(n in page.text for n in numbers)
    assert len(page.all("img")) == 1


def test_a_second_look_writes_the_same_files_anew(store_folder, tmp_path):
    config, out = InspectConfig(str(store_folder)), tmp_path / "out"
    for _ in range(2):
        run(config, out)
    assert "over 2 starts" in check_page((out / "index.html").read_text(), "inspect").text
    assert foreign_files(out, OUTPUT) == []


def test_the_name_of_a_store_is_text_on_the_page(store_folder, tmp_path):
    folder = tmp_path / "<script>'a'"
    shutil.copytree(store_folder, folder)
    run(InspectConfig(str(folder)), tmp_path / "out")
    source = (tmp_path / "out" / "index.html").read_text()
    assert "<script" not in source
    assert check_page(source, "inspect").text.count("<script>'a'") == 3  # two titles, the folder


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match="neuromf inspect latents/"):
        run(InspectConfig(), tmp_path)
    with pytest.raises(StoreError, match=r"holds no index.json"):
        run(InspectConfig(latents=str(tmp_path)), tmp_path / "out")
    assert not (tmp_path / "out").exists()
