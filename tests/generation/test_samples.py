"""A folder of samples: a sample counts when its sidecar and its volume agree, and none is lost or left over."""

import json

import numpy as np
import pytest
import torch

from neuromf.data.volume import Volume, centred_affine
from neuromf.generation.generator import Drawn
from neuromf.generation.samples import SampleFolder, is_there, with_ending
from neuromf.runtime.config import ConfigError

SHAPE = (8, 10, 8)


def draw(numbers):
    for i in numbers:
        voxels = np.random.default_rng(i).random(SHAPE, dtype=np.float32)
        volume = Volume(voxels, centred_affine(SHAPE, (2.0, 2.0, 2.0)))
        yield Drawn(i, torch.full((1, 2, 2, 2), float(i)), volume, 0.5, 0.25)


def filled(folder, n=3, **options):
    samples = SampleFolder(folder, n, "T1w", {"Model": "none"}, **options)
    samples.describe("Nothing", "Nobody", "a test", "# Nothing\n")
    return samples, samples.fill(samples.missing(), draw, "draw")


def test_what_is_missing_is_drawn_and_nothing_else(tmp_path):
    samples, seconds = filled(tmp_path)
    assert samples.missing() == []
    assert (seconds["network"], seconds["decode"]) == (1.5, 0.75)
    samples.paths[1].write_bytes(samples.paths[2].read_bytes())
    with_ending(samples.paths[0], ".json").unlink()
    assert samples.missing() == [0, 1]
    more = SampleFolder(tmp_path, 5, "T1w", {"Model": "none"})
    assert more.missing() == [0, 1, 3, 4]


def test_a_sample_is_not_there_under_another_number(tmp_path):
    samples, _ = filled(tmp_path)
    assert is_there(samples.paths[0], samples.about, 0)
    assert not is_there(samples.paths[0], samples.about, 1)


def test_the_folder_says_what_it_is(tmp_path):
    samples, _ = filled(tmp_path / "new", latents=True)
    samples.show()
    about = json.loads((samples.folder / "dataset_description.json").read_text())
    assert (about["Name"], about["Authors"][0]) == ("Nothing", "Nobody")
    assert (samples.folder / "contact.png").is_file()
    assert with_ending(samples.paths[2], "_latent.safetensors").is_file()


def test_fewer_are_refused(tmp_path):
    samples, _ = filled(tmp_path)
    samples.refuse_others()
    with pytest.raises(ConfigError, match="holds samples up to sub-00002, n=2 asks for fewer"):
        SampleFolder(tmp_path, 2, "T1w", samples.about).refuse_others()


@pytest.mark.parametrize(
    ("about", "said"),
    [
        (
            {"Model": "a", "VAE": "new", "VAESha256": "2"},
            r"another VAE \(old, now new\): .* that again with decoder=,",
        ),
        ({"Model": "a", "VAE": "old", "VAESha256": "2"}, r"another VAESha256 \(1, now 2\):"),
        ({"Model": "b", "VAE": "new", "VAESha256": "2"}, r"Model \(a, now b\), another VAE \("),
        ({"Model": "a", "VAE": "old"}, r"another VAESha256 \(1, now none\)"),
        ({"Versions": {"torch": "2"}}, r"another .*Versions.torch \(none, now 2\)"),
    ],
)
def test_samples_drawn_otherwise_are_not_replaced(tmp_path, about, said):
    old = {"Model": "a", "VAE": "old", "VAESha256": "1"}
    samples = SampleFolder(tmp_path, 3, "T1w", old)
    samples.fill([0, 2], draw, "draw")
    with pytest.raises(ConfigError, match=said):
        SampleFolder(tmp_path, 5, "T1w", about).refuse_others()
    with_ending(samples.paths[0], ".json").write_text("{")  # killed here: nobody's sample
    with pytest.raises(ConfigError, match="holds sub-00002"):
        SampleFolder(tmp_path, 5, "T1w", about).refuse_others()
    SampleFolder(tmp_path, 5, "T1w", old).refuse_others()
