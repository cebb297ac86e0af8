"""One-step generation of 3D brain MRI: MeanFlow in the latent space of a frozen VAE."""

__version__ = "0.1.0"
