"""One page of a training, and one that compares several: what its folder holds, warnings first."""
