"""What is measured of one volume, once: features of networks, coarse voxels, spectrum, latents;
kept by file hash.
"""
