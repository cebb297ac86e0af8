"""Weights of other projects: fetched, checked, loaded strictly."""
