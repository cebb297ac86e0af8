"""A model folder with random weights, as the tests of drawing have it."""

from generation.conftest import model_folder

__all__ = ["model_folder"]
