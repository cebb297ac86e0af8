"""Scans to prepared volumes: reading, preprocessing, skull stripping, splits, cohorts on disk."""
