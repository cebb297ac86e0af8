"""Data that should be shared and is not is named with the arms."""

from neuromf.study.folder import read_table
from neuromf.study.sources import differing_sources
from study.support import make_study, scored


def made(folder, references=(22, 22, 22, 22), latents=("a", "a", "b", "b")):
    steps = {"train": "train", "evaluate": "evaluate"}
    arms = make_study(folder, {"p": ["1", "2"]}, (0, 1), steps)
    for (name, *_), reference, store in zip(arms, references, latents, strict=True):
        arm = folder / "arms" / name
        scored(arm / "evaluate", {"net/fid": 1.0}, reference)
        (arm / "train").mkdir()
        (arm / "train" / "config.yaml").write_text(f"latents: {store}\nseed: 1\n")
        own = arm / "train" / "model"
        (arm / "evaluate" / "config.yaml").write_text(f"reference: volumes\ntrain: {own}\n")
    return list(differing_sources(folder, read_table(folder)))


def test_groups_may_differ_in_their_latents_and_seeds_may_not(tmp_path):
    assert made(tmp_path / "good") == []
    (said,) = made(tmp_path / "bad", latents=("a", "other", "b", "b"))
    assert said.startswith("train: seeds of p-1 differ in latents: a (p-1_seed-0), other (p-1_s")


def test_all_arms_share_the_reference(tmp_path):
    (said,) = made(tmp_path, references=(22, 22, 22, 30))
    assert "evaluate: arms differ in reference: 22 volumes of people" in said
    assert "(p-2_seed-1)" in said
