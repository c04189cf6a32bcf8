"""Keeps the parts of one machine's installation alive."""
