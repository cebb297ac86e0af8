"""Sample sets against held-out people: metrics, their intervals and references, a page."""
