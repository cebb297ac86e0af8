"""Sample sets against held-out people: metrics, their references and intervals, figures."""
