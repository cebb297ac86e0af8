"""Slices, plots and pages, shared by all commands."""
