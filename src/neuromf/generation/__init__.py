"""Brains from a trained model: the folder that is given away, the generator, the verb."""
