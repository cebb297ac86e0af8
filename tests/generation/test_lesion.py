"""The mask of a sample: binary, inside the brain, without specks, on the grid of its image."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch

import neuromf
from generation.support import pairs
from neuromf.autoencoder.load import load_vae
from neuromf.autoencoder.mask_codes import load_mask_code
from neuromf.data.scans import find_scans
from neuromf.data.volume import Volume
from neuromf.generation.command import GenerateConfig, run
from neuromf.generation.generator import Generator
from neuromf.generation.lesion import decoded_lesion, without_specks
from neuromf.generation.model import load_model
from support import tiny_decoder


def test_a_mask_is_what_the_code_decodes_inside_the_brain(vae_folder):
    code = load_mask_code("average", load_vae(str(vae_folder)))
    truth = torch.zeros(1, 1, 16, 24, 16)
    truth[..., 4:12, 8:16, 4:12] = 1
    brain = np.zeros((16, 24, 16), np.float32)
    brain[:, :12] = 0.5
    image = Volume(brain, np.diag([2.0, 2.0, 2.0, 1.0]))
    found = decoded_lesion(code.encode(truth, image.spacing), code, image, 0.02, None)
    assert set(np.unique(found.mask.voxels)) == {0, 1}
    assert (found.mask.affine == image.affine).all()
    assert found.components == 1
    assert found.ml == pytest.approx(8 * 4 * 8 * 8 / 1000, rel=0.25)  # half of it is in the brain
    assert found.outside_ml == pytest.approx(found.ml, rel=0.25)
    assert not found.mask.voxels[brain == 0].any()


def test_specks_are_left_out_and_counted():
    lesion = np.zeros((10, 10, 10), bool)
    lesion[1:4, 1:4, 1:4] = True
    lesion[4, 4, 4] = True  # touches by a corner
    lesion[8, 8, 7:9] = True
    lesion[8, 1, 1] = True
    kept, components, dropped = without_specks(lesion, 2.5)
    assert (kept.sum(), components, dropped) == (28, 1, 2)
    assert without_specks(lesion, 0)[1:] == (3, 0)
    assert without_specks(np.zeros((3, 3, 3), bool), 1)[1:] == (0, 0)


def test_pairs_are_written_as_bids_and_read_again(pair_model, tmp_path):
    out = tmp_path / "samples"
    config = GenerateConfig(str(pair_model), n=2, suffix="FLAIR", device="cpu")
    run(config, out)
    pairs = neuromf.load(pair_model, "cpu").generate_pairs(2)
    for number, (image, mask) in enumerate(pairs):
        name = f"sub-{number:05d}"
        path = out / name / "anat" / f"{name}_label-lesion_desc-generated_mask.nii.gz"
        written = nib.load(path)
        assert written.get_data_dtype() == np.uint8
        assert (np.asarray(written.dataobj) == mask.voxels).all()
        assert image.voxels.shape == mask.voxels.shape
        sidecar = out / name / "anat" / f"{name}_desc-generated_FLAIR.json"
        record = json.loads(sidecar.read_text())
        assert record["LesionKind"] == "simulated fcd"
        assert "simulated lesions" in record["Description"]
    assert "simulated ones (simulated fcd)" in (out / "README.md").read_text()
    scans = find_scans([str(out)], "FLAIR")
    assert [s.lesion.endswith("mask.nii.gz") for s in scans] == [True, True]


def test_a_missing_mask_is_drawn_again(pair_model, tmp_path):
    out = tmp_path / "samples"
    config = GenerateConfig(str(pair_model), n=2, device="cpu")
    run(config, out)
    mask = out / "sub-00001" / "anat" / "sub-00001_label-lesion_desc-generated_mask.nii.gz"
    before = mask.read_bytes()
    mask.unlink()
    run(config, out, resume=True)
    assert mask.read_bytes() == before


def test_a_decoder_of_images_decodes_no_masks(vae_folder, tmp_path):
    """A signed distance is no brain: the VAE that encoded it decodes it, whatever decodes images."""
    own = load_vae(str(vae_folder))
    other = str(tiny_decoder(tmp_path / "other", own))
    model = load_model(pairs(tmp_path, vae_folder, "distance"))
    generator = Generator(model, "cpu", decoder=other)
    assert generator.vae.sha256 == load_vae(other).sha256
    assert generator.mask_code.vae.sha256 == own.sha256
    usual = Generator(model, "cpu")
    assert usual.mask_code.vae is usual.vae  # and is loaded once where it decodes images too


def test_a_model_of_images_draws_no_masks(model_folder, tmp_path):
    with pytest.raises(ValueError, match="draws images alone"):
        neuromf.load(model_folder, "cpu").generate_pairs(1)
