"""Scans to prepared volumes to latents: NIfTI files, preprocessing, phantoms,
splits and the latent store.
"""
