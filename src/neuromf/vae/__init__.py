"""A VAE of one's own: training the small one, and validating any."""
