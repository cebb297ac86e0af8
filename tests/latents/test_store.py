import json
import shutil
from dataclasses import replace

import fsspec
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader

from neuromf.autoencoder.components import image_of
from neuromf.autoencoder.frozen import LatentSpace
from neuromf.latents import LatentStore, StoreError
from neuromf.latents.store import LatentEntry, finished_shards, write_index, write_shard
from support import STORE_VAE as VAE
from support import known_latents


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
    assert store.spacing == (2.0, 2.0, 2.0)
    store.entries = [replace(e, affine=()) for e in store.entries]
    assert store.spacing == (1.0, 1.0, 1.0)  # imported without a place


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
    with pytest.raises(
        StoreError, match="holds no index.json: give a folder that `neuromf encode` finished"
    ):
        LatentStore(tmp_path)
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(
        StoreError, match="index.json is not what it should be: Input data was truncated"
    ):
        LatentStore(tmp_path)
    index = json.loads((store_folder / "index.json").read_text())
    (tmp_path / "index.json").write_text(json.dumps(index | {"format": 99}))
    with pytest.raises(StoreError, match="store format 99"):
        LatentStore(tmp_path)


@pytest.mark.parametrize(
    "shard", ["../../etc/passwd", "/tmp/x", "s3://b/x", "a::b", ".hidden", "", "a/b"]
)
def test_a_shard_never_leaves_its_store(store_folder, tmp_path, shard):
    index = json.loads((store_folder / "index.json").read_text())
    index["entries"][3]["shard"] = shard
    (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(
        StoreError, match=r"index.json .* a name such as shard-00000 at `entries.3.`"
    ):
        LatentStore(tmp_path)


def test_a_flipped_bit_is_noticed_the_first_time_a_latent_is_read(store_folder, tmp_path):
    for path in store_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    shard = tmp_path / "shard-00001.safetensors"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 4  # in the last tensor
    shard.write_bytes(content)
    store = LatentStore(tmp_path)
    found = []
    for read in (store.__getitem__, store.sigma):
        for i in range(4, 8):
            try:
                read(i)
            except StoreError as error:
                found.append(str(error))
    assert len(found) == 1
    assert "were changed since they were written: encode again" in found[0]


def test_stores_of_before_checksums_are_read(store_folder, tmp_path):
    """Without checksums, and with the keys that standard deviations had: NAME.sigma."""
    index = json.loads((store_folder / "index.json").read_text())
    for entry in index["entries"]:
        del entry["crc32"]
    (tmp_path / "index.json").write_text(json.dumps(index))
    for path in store_folder.glob("*.safetensors"):
        tensors = {k.replace("/sigma", ".sigma"): v for k, v in load_file(path).items()}
        save_file(tensors, tmp_path / path.name)
    store = LatentStore(tmp_path)
    assert torch.equal(store[5], known_latents()[5])
    torch.testing.assert_close(store.sigma(5), 0.1 * known_latents()[5].abs())


def test_names_that_look_like_keys_stay_apart(tmp_path):
    names = ("a", "a.sigma", "__metadata__")
    latents = [torch.full((4, 2, 2, 2), float(i)) for i in range(3)]
    part = [
        (LatentEntry(n, n, "train", "shard-00000"), z, 10 + z)
        for n, z in zip(names, latents, strict=True)
    ]
    write_index(
        tmp_path,
        image_of(VAE),
        (4, 2, 2, 2),
        write_shard(tmp_path, "shard-00000", image_of(VAE), part),
        sigma=True,
    )
    store = LatentStore(tmp_path)
    for i, entry in enumerate(store.entries):
        number = names.index(entry.name)
        assert torch.equal(store[i], latents[number])
        assert torch.equal(store.sigma(i), 10 + latents[number])


def test_finished_shards_are_those_of_this_vae_and_whole(store_folder, tmp_path):
    for path in store_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert list(finished_shards(tmp_path, image_of(VAE))) == [
        "shard-00000",
        "shard-00001",
        "shard-00002",
    ]
    assert finished_shards(tmp_path, image_of(LatentSpace("tiny", "b" * 64, 4, 4))) == {}
    whole = (tmp_path / "shard-00001.safetensors").read_bytes()
    (tmp_path / "shard-00001.safetensors").write_bytes(whole[:-3])
    (tmp_path / "shard-00002.json").write_text('{"vae":')
    assert list(finished_shards(tmp_path, image_of(VAE))) == ["shard-00000"]


def test_what_is_no_store_is_said_to_be_what_it_is(tmp_path):
    with pytest.raises(StoreError, match="no such folder"):
        LatentStore(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="holds no index.json"):
        LatentStore(tmp_path)
    (tmp_path / "manifest.csv").write_text("name\n")
    with pytest.raises(StoreError, match="holds prepared volumes: .neuromf encode"):
        LatentStore(tmp_path)


def test_a_store_of_version_0_1_is_read(store_folder, tmp_path):
    shutil.copytree(store_folder, tmp_path / "old")
    path = tmp_path / "old" / "index.json"
    record = json.loads(path.read_text())
    (component,) = record.pop("components")
    old_vae = {k: v for k, v in component["vae"].items() if k != "of"}
    entries = [
        {k: v for k, v in e.items() if k not in {"contrast", "site"}} for e in record["entries"]
    ]
    path.write_text(json.dumps(record | {"format": 1, "vae": old_vae, "entries": entries}))

    now, old = LatentStore(store_folder), LatentStore(tmp_path / "old")
    assert old.components == now.components
    assert old.entries == now.entries
    assert torch.equal(old[3], now[3])
    path.write_text(json.dumps(record | {"format": 7, "vae": old_vae}))
    with pytest.raises(StoreError, match="store format 7, 2 is read"):
        LatentStore(tmp_path / "old")
