"""The nouns as frozen dataclasses."""
