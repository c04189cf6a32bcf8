"""Finds the array library that the dense numeric stages run on."""

from __future__ import annotations

from typing import Protocol

from shoald.domain.clustering.array_backend import ArrayBackend


class Arrays(Protocol):
    """Finds a backend by name."""

    def get(self, name: str) -> ArrayBackend:
        """Return `numpy`, `cupy`, or what `auto` finds best here.

        Raises `MissingDependency` when the library is not installed or sees no device: before any data moves.
        """
        ...
