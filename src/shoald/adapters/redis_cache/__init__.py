"""Redis as a cache that may be gone at any moment."""
