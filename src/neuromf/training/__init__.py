"""Training on latents: what a batch is made of, the Lightning module, what watches a run, the verb."""
