"""Measures on volumes, each a function on tensors."""
