"""What the long attacks found, each in a case of its own."""

import contextlib
import logging

import pytest

from hostile.support import fingerprint
from neuromf.evaluation.sets import read_set, vae_named_by
from neuromf.runtime.replacing import set_aside
from neuromf.runtime.run import _RunLog

TELLS_TIME = ("run.json", "run.log", "files.txt", ".lock", "timing.json", "index.html")
ENCODE = (
    "volumes=volumes",
    "vae=vae",
    "shard=2",
    "sigma=true",
    "workers=1",
    "device=cpu",
    "out=out",
)
DRAW = ("model=model", "n=1", "device=cpu", "out=out")


@pytest.fixture(autouse=True)
def here(world, monkeypatch):
    monkeypatch.chdir(world)


def files(folder):
    return {name: sha256 for name, sha256 in fingerprint(folder).items() if name not in TELLS_TIME}


@pytest.mark.parametrize("lost", ["shard-00000", "shard-00001", "shard-00003"])
def test_latents_encoded_again_keep_checksums_and_the_names_of_shards(world, neuromf, lost):
    """The index of a resumed run had lost its checksums, and half a shard stayed beside the one that replaced it."""
    assert neuromf("encode", *ENCODE)[0] == 0
    before = files(world / "out")
    (world / "out" / f"{lost}.json").unlink()  # killed between the shard and its list
    (world / "out" / "index.json").unlink()
    assert neuromf("encode", *ENCODE, "--resume")[0] == 0
    assert files(world / "out") == before


@pytest.mark.parametrize("text", ["[]", "3", "null", "[" * 5000 + "]" * 5000])
def test_a_sidecar_that_is_no_object_is_a_sample_to_draw_again(world, neuromf, text):
    before = files(world / "samples")
    sidecar = next((world / "samples").glob("sub-00001/anat/*.json"))
    sidecar.write_text(text)
    assert vae_named_by(read_set(str(sidecar.parent))) == ("", "")
    assert neuromf("generate", "out=samples", "--resume")[0] == 0
    assert files(world / "samples") == before


@pytest.mark.parametrize("how", ["--resume", "--overwrite", ""])
def test_a_start_killed_before_its_first_file_does_not_block_the_folder(world, neuromf, how):
    (world / "out").mkdir()
    (world / "out" / ".run.0123456789abcdef.tmp.json").write_text("{")
    assert neuromf("generate", *DRAW, *filter(None, [how]))[0] == 0
    assert not [p for p in (world / "out").iterdir() if ".tmp" in p.name]


def test_an_overwriting_killed_as_it_began_can_begin_again(world, neuromf):
    assert neuromf("generate", *DRAW)[0] == 0
    before = files(world / "out")
    set_aside(world / "out")
    code, _, error = neuromf("generate", *DRAW, "--resume")
    assert (code, "start with --overwrite again" in error) == (2, True)
    assert neuromf("generate", *DRAW, "--overwrite")[0] == 0
    assert files(world / "out") == before


@pytest.mark.parametrize(
    "text", ["{}", '{"affine": 3}', '{"affine": [[1, 2], [3]]}', '{"affine": null}']
)
def test_a_volume_whose_sidecar_places_it_nowhere_is_refused(world, neuromf, text):
    (world / "volumes" / "s1.json").write_text(text)
    code, _, error = neuromf("encode", *ENCODE)
    assert (code, "s1.json" in error, "affine" in error) == (2, True, True)


@pytest.mark.parametrize("at", [300, -3000])
def test_a_damaged_checkpoint_of_a_vae_is_refused(world, neuromf, at):
    words = (
        "volumes=volumes",
        "updates=2",
        "batch=1",
        "patch=16",
        "device=cpu",
        "out=out",
        "network.half=8",
    )
    words = (*words, "network.quarter=8", "network.full=4", "network.decoder_blocks=[1,1]")
    assert neuromf("train-vae", *words)[0] == 0
    path = world / "out" / "checkpoints" / "last.ckpt"
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    code, _, error = neuromf("train-vae", *words, "--resume")
    assert (code, str(path.relative_to(world)) in error) == (2, True)


def test_a_checkpoint_that_lacks_half_is_refused(world, neuromf):
    import torch

    path = world / "training" / "checkpoints" / "last.ckpt"
    torch.save({"format": 1}, path)
    code, _, error = neuromf("export", "run=training", "out=out")
    assert (code, "last.ckpt" in error) == (2, True)


def test_a_start_killed_before_its_configuration_leaves_nothing_behind(world, neuromf):
    assert neuromf("generate", *DRAW)[0] == 0
    before = files(world / "out")
    (world / "begun").mkdir()
    (world / "begun" / "run.json").write_bytes((world / "out" / "run.json").read_bytes())
    (world / "begun" / ".config.0123456789abcdef.tmp.yaml").write_text("model: ")
    assert neuromf("generate", *DRAW[:-1], "out=begun", "--resume")[0] == 0
    assert files(world / "begun") == before


def test_a_log_on_a_full_disk_prints_no_traceback(capsys):
    """The disk's error is told once, by the file that cannot be written."""
    handler = _RunLog("/dev/full")
    handler.emit(logging.LogRecord("neuromf", logging.INFO, "", 0, "a line", None, None))
    with contextlib.suppress(OSError):
        handler.close()
    assert capsys.readouterr().err == ""


def test_a_configuration_that_is_no_text_is_another_configuration(world, neuromf):
    assert neuromf("generate", *DRAW)[0] == 0
    path = world / "out" / "config.yaml"
    path.write_bytes(path.read_bytes() + b"\x8e\xbf")
    code, _, error = neuromf("generate", *DRAW, "--resume")
    assert (code, "out was started with another configuration" in error) == (2, True)
