"""Heals jobs: reconciler and outbox relay; may run any number of times."""
