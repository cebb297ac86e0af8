"""Weights of other projects: downloaded, checked, loaded strictly."""
