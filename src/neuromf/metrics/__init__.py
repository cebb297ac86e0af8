"""Metrics on volumes and on sets of features, each a pure function of tensors."""
