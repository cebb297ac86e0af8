"""Frozen VAEs between volumes and latents."""
