"""Training: batches, the loop, what watches a run, and the commands that train."""
