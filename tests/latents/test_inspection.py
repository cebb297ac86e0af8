import pytest
from PIL import Image

from neuromf.cli import VERBS, run_verb
from neuromf.latents import StoreError
from neuromf.latents.inspection import InspectConfig, run


def test_it_prints_and_draws(store_folder, tmp_path, capsys):
    run_verb("inspect", VERBS["inspect"], [str(store_folder), f"out={tmp_path / 'out'}"])
    said = capsys.readouterr().out
    assert "12 latents (4, 5, 6, 5) (8 train, 2 val, 2 test), 8 training subjects" in said
    assert "largest correlation of two channels 0.817" in said
    with Image.open(tmp_path / "out" / "latents.png") as image:
        assert image.width > 1000


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match="neuromf inspect latents/"):
        run(InspectConfig(), tmp_path)
    with pytest.raises(StoreError, match=r"holds no index.json"):
        run(InspectConfig(latents=str(tmp_path)), tmp_path / "out")
    assert not (tmp_path / "out").exists()
