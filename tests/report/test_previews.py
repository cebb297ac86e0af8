import json

from neuromf.report.previews import latent_shape, read_previews
from report.support import SHAPE, write_samples


def test_previews_in_order(tmp_path):
    write_samples(tmp_path / "samples", (1000, 20))
    found = read_previews(tmp_path / "samples")
    assert [p.update for p in found] == [20, 1000]
    assert found[0].shape == SHAPE
    assert found[0].moments[2]["std_3"] == 0.9


def test_what_is_missing_or_damaged_is_left_out(tmp_path):
    assert read_previews(tmp_path / "samples") == ()
    write_samples(tmp_path / "samples", (10,))
    stem = tmp_path / "samples" / "update-00000010"
    stem.with_suffix(".json").write_text(json.dumps({"calls_1": 3}))
    stem.with_suffix(".safetensors").write_bytes(b"none")
    (tmp_path / "samples" / "update-best.png").write_bytes(b"")
    whole = stem.with_suffix(".png").read_bytes()
    (tmp_path / "samples" / "update-00000011.png").write_bytes(whole[: len(whole) // 2])
    [found] = read_previews(tmp_path / "samples")
    assert found.moments == {}
    assert found.shape == ()
    assert latent_shape(tmp_path / "gone.png") == ()
