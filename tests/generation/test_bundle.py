from dataclasses import replace
from itertools import pairwise

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow

from generation.support import SHAPE
from neuromf.data.volume import centred_affine
from neuromf.generation import bundle
from neuromf.generation.deploy import DeployConfig, run
from neuromf.generation.deployed import Decoder, Step
from neuromf.generation.model import load_model
from neuromf.nets.variables import Conditions, Variable


@pytest.mark.filterwarnings("ignore")
def test_monai_runs_it_and_draws_what_the_model_draws(tmp_path, model_folder):
    calls = 2
    folder = tmp_path / "bundle"
    run(DeployConfig(str(model_folder), "bundle"), folder)
    workflow = ConfigWorkflow(
        config_file=str(folder / bundle.INFERENCE),
        meta_file=str(folder / bundle.METADATA),
        logging_file=False,
        workflow_type="infer",
        bundle_root=str(folder),
        n=2,
        seed=5,
        calls=calls,
    )
    workflow.initialize()
    workflow.run()
    workflow.finalize()

    model = load_model(model_folder)
    step, decoder = Step(model.network, model.config), Decoder(model.load_vae("cpu"), model.config)
    for seed in (5, 6):
        image = nib.load(folder / "samples" / f"brain-{seed:05d}.nii.gz")
        z = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(seed))
        times = torch.linspace(1, 0, calls + 1).reshape(-1, 1)
        with torch.no_grad():
            for t, r in pairwise(times):
                z = step(z, t, r)
            expected = decoder(z)[0, 0].numpy()
        np.testing.assert_allclose(image.get_fdata(), expected, atol=1e-5)
        affine = centred_affine(expected.shape, model.config.spacing)
        np.testing.assert_allclose(image.affine, affine, atol=1e-5)


def test_a_flow_takes_thirty_calls_unless_told_otherwise(model_folder):
    config = load_model(model_folder).config
    assert bundle.inference(config)["calls"] == 1
    assert bundle.metadata(config, "0" * 64)["network_data_format"]["inputs"]["z"][
        "spatial_shape"
    ] == list(SHAPE[1:])


def test_conditions_and_guidance_of_which_nothing_is_asked(model_folder):
    conditions = Conditions((Variable("age", (), 20, 80),), guidance=3.0)
    config = replace(load_model(model_folder).config, conditions=conditions)
    sample = bundle.inference(config)["sample"]
    words = sample.split("@times[k + 1]")[1].split("), range")[0]
    age, guidance = eval(f"[{words.removeprefix(', ')}]", {"torch": torch})
    assert age.isnan().tolist() == [True]
    assert guidance.tolist() == [[1.0, 0.0, 1.0]]
