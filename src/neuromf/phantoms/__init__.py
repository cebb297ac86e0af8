"""Phantoms: brains of real anatomy without data, by deforming templates and cohorts."""
