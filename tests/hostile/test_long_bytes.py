"""Files damaged by the thousand: what is read is what was written, or it is refused by name."""

import gzip
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hostile.mutations import DAMAGE, EDITS, IN_PLACE, damaged, edited, edited_json
from neuromf.autoencoder.components import image_of
from neuromf.autoencoder.load import load_vae
from neuromf.data.cohort import earlier_split, read_cohort, saved_record
from neuromf.data.reading import read_volume
from neuromf.data.scans import find_scans
from neuromf.evaluation.sets import read_set, vae_named_by
from neuromf.features.cache import Cache
from neuromf.generation.model import load_model
from neuromf.generation.samples import is_there
from neuromf.latents.encode import latent_entry
from neuromf.latents.grids import check_grids
from neuromf.latents.statistics import LatentStats
from neuromf.latents.store import LatentStore, finished_shards
from neuromf.runtime.config import ConfigError, to_yaml
from neuromf.runtime.folders import Output, foreign_files
from neuromf.runtime.run import open_run
from neuromf.training.checkpoint import read_checkpoint
from neuromf.training.export import export
from neuromf.training.vae import new_loop
from neuromf.training.vae_config import TrainVAEConfig
from support import egg, placed, save_nifti

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(3600)]
EACH = int(os.environ.get("NEUROMF_MUTATIONS", "200"))  # of each kind; the full run takes 2000
REFUSED = "refused"


def attack(strategy, number: int = EACH):
    """Give a test so many values of a strategy, the same ones every time."""
    own = settings(
        max_examples=number,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[
            Phase.explicit,
            Phase.generate,
        ],  # what is found is small as it is: shrinking takes minutes
        suppress_health_check=list(HealthCheck),
    )
    return lambda test: own(given(strategy)(test))


def outcome(read: Callable[[], object], *named: str) -> object:
    """Return what is read, or REFUSED for a refusal of ours that names one of some files."""
    try:
        return read()
    except (ValueError, OSError, ConfigError) as error:
        refusal = error
    assert type(refusal) is not UnicodeDecodeError
    assert any(name in str(refusal) for name in named), (
        f"{type(refusal).__name__} names none of {named}: {refusal}"
    )
    return REFUSED


def same_tensors(a, b) -> bool:
    """Compare nested values with tensors in them."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.shape == b.shape and torch.equal(a, b)
    if isinstance(a, dict):
        return (
            isinstance(b, dict)
            and a.keys() == b.keys()
            and all(same_tensors(a[k], b[k]) for k in a)
        )
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same_tensors, a, b))
    return a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


@pytest.fixture(scope="module")
def world(made, tmp_path_factory) -> Path:
    """A copy of all folders; every test puts back what it damages."""
    place = tmp_path_factory.mktemp("bytes") / "world"
    shutil.copytree(made, place, symlinks=True)
    brain = egg(placed(spacing=(8, 8, 8)))
    save_nifti(place / "plain.nii", brain)
    save_nifti(place / "packed.nii.gz", brain)
    save_nifti(place / "pair.hdr", brain)
    nib.save(nib.Nifti2Image(brain.voxels, brain.affine), place / "second.nii")
    for name in ("plain.mgh", "packed.mgz"):
        nib.save(nib.MGHImage(brain.voxels, brain.affine), place / name)
    return place


@pytest.fixture
def original(request, world):
    """The file that a test damages, and its bytes, which are put back afterwards."""
    path = world / request.param
    content = path.read_bytes()
    yield path, content
    path.write_bytes(content)


def on(*files: str):
    """Run a test for each of some files."""
    return pytest.mark.parametrize("original", files, indirect=True)


# --- volumes -----------------------------------------------------------------------------------------------------


@on("plain.nii", "second.nii", "plain.mgh", "pair.hdr")
def test_headers_of_volumes(original):
    path, content = original

    @attack(IN_PLACE)
    def check(changes):
        path.write_bytes(damaged(content, changes, reach=540 if path.name == "second.nii" else 348))
        volume = outcome(lambda: read_volume(path), str(path), str(path.with_suffix(".img")))
        if volume is not REFUSED:
            assert volume.voxels.ndim == 3
            assert np.isfinite(volume.voxels).all()
            assert np.isfinite(volume.affine).all()

    check()


@on("packed.nii.gz", "packed.mgz")
def test_headers_in_compressed_volumes(original):
    path, content = original
    plain = gzip.decompress(content)

    @attack(IN_PLACE)
    def check(changes):
        path.write_bytes(gzip.compress(damaged(plain, changes, reach=352), 1))
        volume = outcome(lambda: read_volume(path), str(path))
        assert volume is REFUSED or np.isfinite(volume.voxels).all()

    check()


@on("packed.nii.gz", "packed.mgz")
def test_compressed_bytes_have_a_checksum(original):
    path, content = original
    before = read_volume(path)

    @attack(DAMAGE)
    def check(changes):
        path.write_bytes(damaged(content, changes))
        volume = outcome(lambda: read_volume(path), str(path))
        if volume is not REFUSED:
            assert np.array_equal(volume.voxels, before.voxels)
            assert np.array_equal(volume.affine, before.affine)

    check()


# --- latents -----------------------------------------------------------------------------------------------------


def all_latents(folder: Path) -> dict[str, torch.Tensor]:
    store = LatentStore(folder)
    return {entry.name: store[i] for i, entry in enumerate(store.entries)}


@on("latents/shard-00000.safetensors", "store/shard-00000.safetensors")
@pytest.mark.parametrize("reach", [0, 400, 9])
def test_shards(original, reach):
    path, content = original
    before = all_latents(path.parent)

    @attack(DAMAGE)
    def check(changes):
        path.write_bytes(damaged(content, changes, reach))
        found = outcome(lambda: all_latents(path.parent), str(path))
        assert found is REFUSED or same_tensors(found, before)

    check()


@on("latents/index.json", "store/index.json")
@pytest.mark.parametrize("how", [DAMAGE, EDITS], ids=["bytes", "values"])
def test_indices(original, how):
    path, content = original
    before = all_latents(path.parent)

    @attack(how)
    def check(changes):
        path.write_bytes((edited_json if how is EDITS else damaged)(content, changes))
        found = outcome(lambda: all_latents(path.parent), str(path.parent))
        assert found is REFUSED or all(
            same_tensors(z, before[name]) for name, z in found.items() if name in before
        )

    check()


@on("store/stats.json")
@pytest.mark.parametrize("how", [DAMAGE, EDITS], ids=["bytes", "values"])
def test_statistics(original, how):
    path, content = original

    @attack(how)
    def check(changes):
        path.write_bytes((edited_json if how is EDITS else damaged)(content, changes))
        stats = outcome(lambda: LatentStats.load(path.parent), str(path))
        if stats is not REFUSED and len(stats.mean) == 4:
            assert torch.isfinite(stats.normalise(torch.zeros(4, 1, 1, 1))).all()

    check()


@on("latents/shard-00000.json")
@pytest.mark.parametrize("how", [DAMAGE, EDITS], ids=["bytes", "values"])
def test_lists_of_shards(original, how):
    """A list that cannot be read is a shard to make again."""
    path, content = original
    vae = LatentStore(path.parent).vae

    @attack(how)
    def check(changes):
        path.write_bytes((edited_json if how is EDITS else damaged)(content, changes))
        assert set(finished_shards(path.parent, image_of(vae))) <= {path.stem}

    check()


# --- models ------------------------------------------------------------------------------------------------------


def model_state(folder: Path) -> dict[str, torch.Tensor]:
    return load_model(folder).network.state_dict()


def vae_state(folder: Path) -> dict[str, torch.Tensor]:
    return load_vae(str(folder)).network.state_dict()


@on("model/model.safetensors", "vae/model.safetensors", "model/vae/model.safetensors")
@pytest.mark.parametrize("reach", [0, 300])
def test_weights(original, reach):
    path, content = original
    read = model_state if path.parent.name == "model" else vae_state
    before = read(path.parent)

    @attack(DAMAGE)
    def check(changes):
        path.write_bytes(damaged(content, changes, reach))
        found = outcome(lambda: read(path.parent), str(path))
        assert found is REFUSED or same_tensors(found, before)

    check()


@on("model/config.json", "vae/config.json")
@pytest.mark.parametrize("how", [DAMAGE, EDITS], ids=["bytes", "values"])
def test_configurations_of_models(original, how):
    path, content = original
    read = model_state if path.parent.name == "model" else vae_state
    before = read(path.parent)

    @attack(how)
    def check(changes):
        path.write_bytes((edited_json if how is EDITS else damaged)(content, changes))
        found = outcome(lambda: read(path.parent), str(path.parent))
        assert found is REFUSED or same_tensors(found, before)

    check()


# --- cohorts -----------------------------------------------------------------------------------------------------


def cohort_record(folder: Path) -> object:
    entries = read_cohort(folder)
    check_grids(entries)
    return [latent_entry(entry, "shard-00000") for entry in entries]


@on("volumes/split.json", "volumes/manifest.csv", "volumes/s1.json")
@pytest.mark.parametrize("how", [DAMAGE, EDITS], ids=["bytes", "values"])
def test_cohorts(original, how):
    path, content = original
    if how is EDITS and path.suffix == ".csv":
        pytest.skip("a table has no values to edit")

    @attack(how)
    def check(changes):
        path.write_bytes((edited_json if how is EDITS else damaged)(content, changes))
        outcome(lambda: cohort_record(path.parent), str(path.parent))
        outcome(lambda: earlier_split(path.parent), str(path))
        outcome(lambda: read_set(str(path.parent)), str(path.parent))
        record = saved_record(path.parent, "s1")
        assert record is None or record["name"] == "s1"

    check()


@pytest.mark.parametrize("name", ["people.csv", "people.tsv"])
def test_tables_of_scans(world, name):
    path = world / name
    tab = "\t" if name.endswith("tsv") else ","
    rows = [
        ["path", "subject", "session", "age"],
        *[[f"scans/sub-{i}_T1w.nii.gz", f"p{i}", "1", "30"] for i in range(3)],
    ]
    content = "".join(tab.join(row) + "\n" for row in rows).encode()

    @attack(DAMAGE)
    def check(changes):
        path.write_bytes(damaged(content, changes))
        outcome(lambda: find_scans([str(path)]), str(path))

    check()


@on("samples/sub-00001/anat/sub-00001_desc-generated_T1w.json")
@pytest.mark.parametrize("how", [DAMAGE, EDITS], ids=["bytes", "values"])
def test_sidecars_of_samples(original, how):
    path, content = original
    volume = path.with_name(path.name.removesuffix(".json") + ".nii.gz")

    @attack(how)
    def check(changes):
        path.write_bytes((edited_json if how is EDITS else damaged)(content, changes))
        assert is_there(volume, {}, 1) in {True, False}
        name, sha256 = vae_named_by(read_set(str(volume)))
        assert isinstance(name, str)
        assert isinstance(sha256, str)

    check()


# --- runs --------------------------------------------------------------------------------------------------------


@on("training/checkpoints/last.ckpt")
@pytest.mark.parametrize("reach", [0, 200])
def test_checkpoints(original, reach):
    path, content = original
    before = read_checkpoint(path)

    @attack(DAMAGE)
    def check(changes):
        path.write_bytes(damaged(content, changes, reach))
        found = outcome(lambda: read_checkpoint(path), str(path))
        assert found is REFUSED or same_tensors(found, before)

    check()


@on("training/checkpoints/last.ckpt")
def test_edited_checkpoints(original, world, tmp_path):
    """Whole files of torch in which something else is written, as another version or another code base has them."""
    path, _ = original
    state = read_checkpoint(path)

    @attack(EDITS, max(EACH // 20, 5))  # each is written as a whole: a third of a second
    def check(changes):
        torch.save(edited(state, changes), path)
        outcome(lambda: export(path, tmp_path / "model"), "")

    check()


@pytest.mark.parametrize("reach", [0, 200])
def test_checkpoints_of_a_vae(tmp_path, reach):
    from support import TINY_VAE

    path = tmp_path / "last.ckpt"
    config = TrainVAEConfig(network=TINY_VAE)
    loop = new_loop(config)
    (optimiser,), _ = loop.configure_optimizers()
    loop.optimizers = lambda **_: optimiser
    loop.state.update = 3
    about = {"format": 2, "verb": "train-vae", "config": to_yaml(config), "provenance": {}}
    torch.save(loop.checkpoint() | about, path)
    content = path.read_bytes()
    before = torch.load(path, weights_only=True)

    @attack(DAMAGE)
    def check(changes):
        path.write_bytes(damaged(content, changes, reach))
        again = new_loop(config)
        found = outcome(
            lambda: again.resume(read_checkpoint(path, "train-vae"), str(path)), str(path)
        )
        same = again.state.update == 3
        same = same and same_tensors(again.network.state_dict(), before["network"])
        assert found is REFUSED or same

    check()


@on("samples/run.json", "samples/config.yaml", "samples/files.txt")
def test_records_of_runs(original):
    """A run's folder whose record is damaged is continued as its own, or left as it is."""
    from neuromf.generation.command import OUTPUT, GenerateConfig

    path, content = original
    config = GenerateConfig(model=str(path.parents[1] / "model"), n=3, device="cpu")
    before = {
        name: (path.parent / name).read_bytes() for name in ("run.json", "config.yaml", "files.txt")
    }

    def go_on() -> bool:
        with open_run(path.parent, config, OUTPUT, resume=True):
            return True

    @attack(DAMAGE)
    def check(changes):
        for name, text in before.items():
            (path.parent / name).write_bytes(text)
        path.write_bytes(damaged(content, changes))
        outcome(go_on, str(path.parent))
        assert len(list(path.parent.glob("sub-*/anat/*.nii.gz"))) == 3

    check()


@given(st.lists(st.text(max_size=12), max_size=6))
@settings(
    max_examples=EACH, derandomize=True, deadline=None, database=None, phases=[Phase.generate]
)
def test_any_words_are_a_list_of_files(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("listed")
    for number in range(2):
        (folder / f"a{number}").write_text("")
    (folder / "files.txt").write_text("\n".join(names), encoding="utf-8", errors="surrogatepass")
    own = Output("prepare", ("*.nii.gz",))
    assert set(foreign_files(folder, own)) == {
        "a0",
        "a1",
    }  # whatever is listed, the verb writes no such names


def test_kept_features(tmp_path):
    cache = Cache(tmp_path)
    values = {"mean": torch.arange(12.0), "other": torch.ones(2, 3)}
    cache.write("m" * 64, "f" * 64, values)
    path = cache.path("m" * 64, "f" * 64)
    content = path.read_bytes()

    @attack(DAMAGE)
    def check(changes):
        path.write_bytes(damaged(content, changes, reach=160))
        if cache.has("m" * 64, "f" * 64):
            outcome(lambda: cache.read("m" * 64, "f" * 64, "mean"), str(path))

    check()
