import numpy as np
import torch

from neuromf.autoencoder.components import image_of
from neuromf.autoencoder.load import load_vae
from neuromf.data.volume import centred_affine
from neuromf.generation.decoding import BACKGROUND, bounded, cleaned, decoded_volume


def test_voxels_are_between_0_and_1_and_what_is_faint_is_background():
    values = torch.tensor([-0.3, 0.0, 0.5 * BACKGROUND, BACKGROUND, 0.4, 1.0, 1.7])
    expected = [0, 0, 0, BACKGROUND, 0.4, 1, 1]
    torch.testing.assert_close(bounded(values), torch.tensor(expected))
    decoded = values.reshape(1, 1, 7, 1, 1)
    assert cleaned(decoded).shape == (7, 1, 1)
    np.testing.assert_allclose(cleaned(decoded).ravel(), expected, rtol=1e-6)


def test_a_volume_is_the_first_component_decoded_and_centred(vae_folder):
    vae = load_vae(str(vae_folder))
    latent = torch.randn(1, vae.channels, 4, 6, 4, generator=torch.Generator().manual_seed(0))
    volume = decoded_volume(latent, image_of(vae.space), vae, (2.0, 2.0, 3.0))
    assert volume.voxels.shape == (16, 24, 16)
    assert np.array_equal(volume.voxels, cleaned(vae.decode(latent)))
    assert np.array_equal(volume.affine, centred_affine((16, 24, 16), (2.0, 2.0, 3.0)))
