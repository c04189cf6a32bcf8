"""Counts in Redis that all servers share."""
