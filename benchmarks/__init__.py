"""Measurements beside named peers; none of them is a test."""
