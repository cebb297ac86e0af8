"""Studies: a grid of runs, here or on a cluster, and the tables that come of it."""
