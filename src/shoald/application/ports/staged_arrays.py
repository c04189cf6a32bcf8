"""Arrays of finished stages, kept by the hash of what they were made from, so that a run that was killed goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy.typing as npt


class StagedArrays(Protocol):
    """A cache of arrays; what is in it can be thrown away at any time."""

    def get(self, key: str) -> Mapping[str, npt.NDArray[Any]] | None:
        """Return the arrays stored under a key, memory-mapped and read-only, or None."""
        ...

    def put(self, key: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Store arrays under a key, all or none; a full disk is no error, since nothing depends on it."""
        ...
