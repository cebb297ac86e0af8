import json

import numpy as np
import pytest

from neuromf.data.volume import Volume, VolumeError
from neuromf.evaluation.mask_test import MaskTestConfig, over_sizes, run, table
from support import placed, save_nifti


@pytest.fixture
def masks(tmp_path):
    """Two masks, a file of labels and a scan."""
    folder = tmp_path / "masks"
    folder.mkdir()
    for name, side in (("small", 5), ("large", 14)):
        voxels = np.zeros((32, 32, 32), np.float32)
        voxels[6 : 6 + side, 6 : 6 + side, 6 : 6 + side] = 1
        save_nifti(folder / f"{name}_mask.nii.gz", Volume(voxels, placed()))
    save_nifti(folder / "scan_FLAIR.nii.gz", Volume(voxels * 3, placed()))
    return folder


def config_of(masks, **changes):
    return MaskTestConfig(**{"masks": str(masks), "codes": ("average", "distance")} | changes)


def test_what_is_written(masks, tmp_path, capsys):
    assert run(config_of(masks), tmp_path / "out") == 0
    summary = json.loads((tmp_path / "out" / "mask_vae_test.json").read_text())
    assert set(summary["codes"]) == {"average", "distance"}
    for name, code in summary["codes"].items():
        assert [row["size"] for row in code["by_size"]] == ["< 2 ml", ">= 20 ml"]
        assert [each["name"] for each in code["each"]] == ["large_mask", "small_mask"]
        assert code["space"]["name"] == name
        assert {"dice", "hausdorff95_mm", "volume_error_percent"} <= set(code["each"][0])

    assert summary["chosen"] == "distance"
    assert summary["enough"] == (summary["codes"]["distance"]["mean"]["dice"] > 0.85)
    assert (tmp_path / "out" / "round_trips.png").stat().st_size > 1000
    said = capsys.readouterr().out
    assert "chosen: distance" in said
    assert ">= 20 ml" in said


def test_files_that_are_no_masks_are_left_out_and_told(masks, tmp_path):
    voxels = (np.arange(512) % 3).reshape(8, 8, 8).astype(np.float32)
    save_nifti(masks / "labels_mask.nii.gz", Volume(voxels, placed()))
    assert run(config_of(masks, codes=("average",)), tmp_path / "out") == 1
    summary = json.loads((tmp_path / "out" / "mask_vae_test.json").read_text())
    assert "labels_mask.nii.gz: holds 3 values" in summary["failed"][0]
    assert len(summary["codes"]["average"]["each"]) == 2

    alone = config_of(masks / "labels_mask.nii.gz", codes=("average",))
    with pytest.raises(VolumeError, match="none of 1 masks can be used; the first: .*3 values"):
        run(alone, tmp_path / "none")


def test_the_best_code_is_that_of_all_sizes_alike():
    many_large = [{"dice": 0.5, "masks": 1}, {"dice": 0.9, "masks": 100}]
    assert over_sizes(many_large) == pytest.approx(0.7)


def test_the_table_shows_what_is_not_there():
    row = {"size": "< 2 ml", "masks": 1, "dice": 0.0, "dice_min": 0.0, "dice_noisy": 0.0}
    row |= {"hausdorff95_mm": None, "volume_error_percent": 100.0, "lost": 1}
    code = {"by_size": [row], "pieces": [], "mean": row}
    text = table({"codes": {"average": code}, "chosen": "average"})
    assert text.splitlines()[1].split() == [
        *("average", "<", "2", "ml", "1", "0.000", "0.000", "0.000", "-", "100.0", "1")
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codes": ()}, "one or more, each once"),
        ({"codes": ("average", "average")}, "one or more, each once"),
        ({"spacing": 0.0}, "spacing is 0.2 to 10 mm"),
        ({"noise": -1.0}, "noise 0 or more"),
    ],
)
def test_settings_that_make_no_test_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        MaskTestConfig(**change)


def test_unknown_codes_are_refused_before_anything_is_written(masks, tmp_path):
    with pytest.raises(ValueError, match="mask code 'nothing'"):
        run(config_of(masks, codes=("nothing",)), tmp_path / "out")
    assert not (tmp_path / "out").exists()
