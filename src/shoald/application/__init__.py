"""Use cases: each owns its transaction and the order of its steps."""
