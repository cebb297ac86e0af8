"""Whatever `out` is said to be, nothing that a user has is deleted or replaced."""

import os

import pytest

from hostile.support import EVALUATED, fingerprint

STEPS = ("preprocessing.spacing=6", "preprocessing.shape=[32,32,32]", "workers=1")
INPUTS = {  # verb -> the words of a call that works, with {} for the folder that is read
    "prepare": ("scans", "input={}", *STEPS),
    "phantom": ("volumes", "source={}", "n=2", "workers=1"),
    "train-vae": ("volumes", "volumes={}", "updates=1", "patch=16"),
    "train-decoder": ("volumes", "volumes={}", "vae=vae", "updates=1", "patch=16"),
    "validate-vae": ("volumes", "volumes={}", "vae=vae"),
    "mask-test": ("scans", "masks={}", "codes=[average]"),
    "encode": ("volumes", "volumes={}", "vae=vae"),
    "import-latents": ("pt", "files={}", "vae=any"),
    "inspect": ("latents", "latents={}"),
    "train": ("store", "latents={}", "device=cpu"),
    "export": ("training", "run={}"),
    "generate": ("model", "model={}", "n=1"),
    "evaluate": ("samples", "samples={}", "reference=volumes", EVALUATED),
    "compare": ("samples", "sets=[{},volumes]", "reference=volumes", EVALUATED),
}
WAYS = {  # how `out` meets the input -> out, and what the refusal says
    "is it": ("{}", "is the input"),
    "is it, by a link": ("link", "is the input"),
    "is it, by dots": ("{}/../{}", "is the input"),
    "holds it": (".", "holds the input"),
    "lies in it": ("{}/deep/out", "lies in the input"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("verb", INPUTS)
def test_an_input_is_never_overwritten(world, neuromf, monkeypatch, verb, way):
    monkeypatch.chdir(world)
    folder, *words = INPUTS[verb]
    (world / "link").symlink_to(folder)
    before = fingerprint(world)
    out, said = WAYS[way]
    code, _, error = neuromf(
        verb, *(w.format(folder) for w in words), f"out={out.format(folder, folder)}", "--overwrite"
    )
    assert code == 2
    assert said in error
    assert fingerprint(world) == before


@pytest.mark.parametrize("how", ["--overwrite", "--resume", ""])
@pytest.mark.parametrize("verb", [v for v in INPUTS if v != "compare"])
def test_a_folder_of_another_verb_or_of_nobody_is_left_as_it_is(
    world, neuromf, monkeypatch, verb, how
):
    monkeypatch.chdir(world)
    folder, *words = INPUTS[verb]
    (world / "thesis").mkdir()
    (world / "thesis" / "chapter.tex").write_text("years")
    other = "samples" if verb not in {"generate", "evaluate"} else "latents"
    before = fingerprint(world)
    for out in ("thesis", other):
        code, _, error = neuromf(
            verb, *(w.format(folder) for w in words), f"out={out}", *([how] if how else [])
        )
        assert code == 2
        assert "choose another out=FOLDER" in error
    assert {k: v for k, v in fingerprint(world).items() if not k.endswith("/.lock")} == {
        k: v for k, v in before.items() if not k.endswith("/.lock")
    }


def test_raw_scans_beside_an_earlier_run_are_kept(world, neuromf, monkeypatch):
    """`prepare input=proj/scans out=proj` where proj holds an earlier run: the scans were gone."""
    monkeypatch.chdir(world)
    assert neuromf("prepare", "input=scans", *STEPS, "out=proj")[0] == 0
    os.rename("scans", "proj/scans")
    before = fingerprint(world / "proj")
    code, _, error = neuromf("prepare", "input=proj/scans", *STEPS, "out=proj", "--overwrite")
    assert (code, "holds the input" in error) == (2, True)
    os.rename("proj/scans", "scans")
    os.mkdir("proj/mine")
    (world / "proj" / "mine" / "sub-9_T1w.nii.gz").write_bytes(b"a scan")
    code, _, error = neuromf("prepare", "input=scans", *STEPS, "out=proj", "--overwrite")
    assert code == 2
    assert "no `neuromf prepare` wrote (mine/sub-9_T1w.nii.gz)" in error
    assert len(fingerprint(world / "proj")) == len(before) - 3 + 1


def test_a_second_prepare_overwrites_its_own(world, neuromf, monkeypatch):
    monkeypatch.chdir(world)
    assert neuromf("prepare", "input=scans", *STEPS, "out=proj")[0] == 0
    names = set(fingerprint(world / "proj"))
    (world / "scans" / "sub-2_T1w.nii.gz").unlink()
    assert neuromf("prepare", "input=scans", *STEPS, "out=proj", "--overwrite")[0] == 0
    assert names - set(fingerprint(world / "proj")) == {"sub-2.nii.gz", "sub-2.json"}


def test_inspect_writes_beside_the_latents_and_over_nothing(world, neuromf, monkeypatch):
    monkeypatch.chdir(world)
    (world / "mine").mkdir()
    for name in ("latents.png", "thesis.tex"):
        (world / "mine" / name).write_text("mine")
    assert neuromf("inspect", "latents", "out=mine")[0] == 2
    assert {p.name for p in (world / "mine").iterdir()} == {"latents.png", "thesis.tex"}
    for _ in range(2):  # a second look writes the same files anew
        assert neuromf("inspect", "latents")[0] == 0
    assert (world / "latents-inspection" / "latents.png").is_file()
    assert neuromf("inspect", "store", "out=latents-inspection")[0] == 2
