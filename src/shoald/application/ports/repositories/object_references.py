"""Which stored objects are still named by something in the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class ObjectReferenceRepository(Protocol):
    """Knows who names an object, over all that may."""

    def hold(self, key: str) -> None:
        """Keep an object from being seized until the transaction ends; waits while another has seized it."""
        ...

    def of_uploads(self, uris: Sequence[str]) -> set[str]:
        """Return those of these URIs that a document version or a picture among segments names, deleted or not."""
        ...

    def seize(self, key: str, uri: str) -> bool:
        """Keep others from holding an object until the transaction ends, and say whether it can go.

        It can when nothing names its URI, no job that has not ended names its key, and none is at work that stores
        pictures.
        """
        ...

    def of_builds(self, build_id: str, keys: Sequence[str]) -> set[str]:
        """Return those of an index build's keys that the build names; all of them while its job has not ended."""
        ...

    def of_keyword_index(self, set_id: str, keys: Sequence[str]) -> set[str]:
        """Return those of the keys that the keyword index of a set names; all of them while it is being made."""
        ...

    def of_evaluation(self, evaluation_id: str, keys: Sequence[str]) -> set[str]:
        """Return which of the keys an evaluation names; all of them while a job works on it."""
        ...

    def of_runs(self, run_id: str, keys: Sequence[str]) -> set[str]:
        """Return those of a cluster run's keys that the run names; all of them while its job has not ended."""
        ...
