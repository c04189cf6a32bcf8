"""Which stored objects are still named by something in the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class ObjectReferenceRepository(Protocol):
    """Knows who names an object, over all that may."""

    def of_builds(self, build_id: str, keys: Sequence[str]) -> set[str]:
        """Return those of an index build's keys that the build names; all of them while its job has not ended."""
        ...

    def of_runs(self, run_id: str, keys: Sequence[str]) -> set[str]:
        """Return those of a cluster run's keys that the run names; all of them while its job has not ended."""
        ...
