"""Brains from a trained model: the model folder, the generator, the verb."""
