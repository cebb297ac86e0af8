"""Volumes of brain regions: SynthSeg if it is installed, otherwise a tissue mixture
that needs nothing.
"""
