import os

import pytest
import torch
from monai.data.meta_tensor import MetaTensor

from neuromf.latents import LatentStats, LatentStore, StoreError
from neuromf.latents.imports import ImportConfig, read_pt, run
from neuromf.pretrained.statedict import WeightsError


def test_files_become_a_store(tmp_path):
    latents = torch.randn(10, 4, 5, 6, 5)
    for i, z in enumerate(latents):
        torch.save(
            {
                "z": MetaTensor(z[None]),
                "metadata": {"subject_id": f"p{i // 2}", "dataset": "d", "age": 40},
            },
            tmp_path / f"scan{i}.pt",
        )
    assert run(ImportConfig(files=str(tmp_path), vae="maisi-v1", shard=4), tmp_path / "out") == 0
    store = LatentStore(tmp_path / "out")
    assert len(store) == 10
    assert store.vae.name == "maisi-v1"
    for i, entry in enumerate(store.entries):
        assert torch.equal(store[i], latents[int(entry.name[4:])])
        assert (entry.subject, entry.age) == (f"p{int(entry.name[4:]) // 2}", "40")
    split = {}
    for entry in store.entries:
        split.setdefault(entry.subject, set()).add(entry.split)
    assert all(len(s) == 1 for s in split.values())
    assert LatentStats.load(tmp_path / "out").latents == len(store.split("train"))


def test_files_of_one_name_are_called_after_their_folders(tmp_path):
    latents = torch.randn(3, 4, 5, 6, 5)
    for number, z in enumerate(latents):
        folder = tmp_path / "subjects" / f"p{number}"
        folder.mkdir(parents=True)
        torch.save({"z": z}, folder / "z.pt")
    config = ImportConfig(files=str(tmp_path / "subjects" / "*" / "z.pt"), vae="x")
    assert run(config, tmp_path / "out") == 0
    store = LatentStore(tmp_path / "out")
    assert [e.name for e in store.entries] == [e.subject for e in store.entries]
    assert [e.name for e in store.entries] == ["p0_z", "p1_z", "p2_z"]
    for i, z in enumerate(latents):
        assert torch.equal(store[i], z)


def test_names_that_stay_equal_are_refused_before_anything_is_written(tmp_path):
    for file in ("a_b/z.pt", "a/b_z.pt", "c/z.pt"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        torch.save({"z": torch.zeros(4, 2, 2, 2)}, tmp_path / file)
    with pytest.raises(ValueError, match=r"would both be called a_b_z: rename one"):
        run(ImportConfig(files=str(tmp_path / "*" / "*.pt"), vae="x"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


class Bomb:
    def __reduce__(self):
        return os.system, ("true",)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ({"x": 1}, StoreError, "a dictionary with a tensor `z` is needed"),
        ({"z": torch.zeros(4, 4)}, StoreError, r"\(C, D, H, W\), all finite"),
        ({"z": torch.full((1, 2, 2, 2), float("nan"))}, StoreError, "all finite"),
        ({"z": torch.zeros(4, 2, 2, 2), "metadata": Bomb()}, WeightsError, "could run code"),
    ],
)
def test_other_files(tmp_path, content, error, message):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(error, match=message):
        read_pt(tmp_path / "a.pt")


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match="name the VAE"):
        run(ImportConfig(files=str(tmp_path)), tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="a folder or glob of .pt files"):
        run(ImportConfig(files=str(tmp_path), vae="x"), tmp_path / "out")


def test_bad_files_are_listed_and_splits_kept(tmp_path):
    for i in range(6):
        torch.save(
            {"z": torch.randn(4, 2, 2, 2), "metadata": {"split": "test" if i == 5 else "train"}},
            tmp_path / f"a{i}.pt",
        )
    torch.save({"z": torch.zeros(4, 2, 2, 3)}, tmp_path / "b.pt")
    (tmp_path / "c.pt").write_bytes(b"no")
    assert run(ImportConfig(files=str(tmp_path / "*.pt"), vae="x"), tmp_path / "out") == 2
    listed = (tmp_path / "out" / "rejected.csv").read_text()
    assert "shape (4, 2, 2, 3), others have (4, 2, 2, 2)" in listed
    assert "c.pt" in listed
    store = LatentStore(tmp_path / "out")
    assert [e.split for e in store.entries] == ["train"] * 5 + ["test"]
