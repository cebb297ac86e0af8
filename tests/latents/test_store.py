import json

import fsspec
import pytest
import torch
from torch.utils.data import DataLoader

from conftest import STORE_VAE as VAE
from conftest import known_latents
from neuromf.latents import LatentStore, StoreError
from neuromf.latents.store import LatentEntry, VAEIdentity, finished_shards


def test_every_latent_is_where_the_index_says(store_folder):
    store = LatentStore(store_folder)
    latents = known_latents()
    assert len(store) == 12
    assert [e.name for e in store.entries] == [f"s{i:02d}" for i in range(12)]
    for i in (7, 0, 11, 3):
        assert torch.equal(store[i], latents[i])
        torch.testing.assert_close(store.sigma(i), 0.1 * latents[i].abs())
    assert store.split("val") == [8, 9]
    assert store.entries[0].affine[0] == (2.0, 0, 0, 1)


def test_at_a_url(store_folder):
    fs = fsspec.filesystem("memory")
    for path in store_folder.iterdir():
        fs.pipe(f"/bucket/latents/{path.name}", path.read_bytes())
    assert torch.equal(LatentStore("memory://bucket/latents")[5], known_latents()[5])


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_in_workers(store_folder, context):
    store = LatentStore(store_folder)
    store[0]  # a file is open before the workers start
    loader = DataLoader(store, batch_size=3, num_workers=2, multiprocessing_context=context)  # type: ignore[arg-type]
    assert torch.equal(torch.cat(list(loader)), known_latents())


def test_folders_that_are_no_store(tmp_path, store_folder):
    with pytest.raises(StoreError, match="holds no index.json: give a folder that `neuromf encode` finished"):
        LatentStore(tmp_path)
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(StoreError, match="not readable"):
        LatentStore(tmp_path)
    index = json.loads((store_folder / "index.json").read_text())
    (tmp_path / "index.json").write_text(json.dumps(index | {"format": 99}))
    with pytest.raises(StoreError, match="store format 99"):
        LatentStore(tmp_path)


def test_entries_of_another_version():
    with pytest.raises(StoreError, match="another version"):
        LatentEntry.from_json({"name": "a", "colour": "red"})


def test_finished_shards_are_those_of_this_vae_and_whole(store_folder, tmp_path):
    for path in store_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert list(finished_shards(tmp_path, VAE)) == ["shard-00000", "shard-00001", "shard-00002"]
    assert finished_shards(tmp_path, VAEIdentity("tiny", "b" * 64, 4, 4)) == {}
    whole = (tmp_path / "shard-00001.safetensors").read_bytes()
    (tmp_path / "shard-00001.safetensors").write_bytes(whole[:-3])
    (tmp_path / "shard-00002.json").write_text('{"vae":')
    assert list(finished_shards(tmp_path, VAE)) == ["shard-00000"]


def test_what_is_no_store_is_said_to_be_what_it_is(tmp_path):
    with pytest.raises(StoreError, match="no such folder"):
        LatentStore(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="holds no index.json"):
        LatentStore(tmp_path)
    (tmp_path / "manifest.csv").write_text("name\n")
    with pytest.raises(StoreError, match="holds prepared volumes: .neuromf encode"):
        LatentStore(tmp_path)
