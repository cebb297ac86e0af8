"""Sample sets against held-out people: figures with their bounds, intervals and pictures."""
