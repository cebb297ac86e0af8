"""Sample sets against held-out people: metrics with their references and intervals, figures, a page."""
