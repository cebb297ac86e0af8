"""Brains of real anatomy without data: deformed templates and cohorts."""
