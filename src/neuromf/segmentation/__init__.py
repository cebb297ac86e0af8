"""Sizes of brain regions: SynthSeg where it is installed, a tissue mixture
that needs nothing otherwise.
"""
