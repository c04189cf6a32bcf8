"""What the use cases ask of stored namespaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shoald.application.listing import Selection
from shoald.domain.records.collection import Namespace


class NamespaceRepository(Protocol):
    """Stored namespaces; ids and names never change."""

    def add(self, namespace: Namespace) -> None:
        """Store a namespace; raises `AlreadyExists` when its id or name is taken."""
        ...

    def find(self, id_or_name: str) -> Namespace | None:
        """Return the namespace with this id, else the one with this name."""
        ...

    def list(self, selection: Selection) -> list[Namespace]:
        """Return namespaces, newest first unless sorted."""
        ...

    def count(self, selection: Selection) -> int:
        """Count what `list` would return without limits."""
        ...

    def document_counts(self, namespace_ids: Sequence[str]) -> dict[str, int]:
        """Return the documents in all collections of each namespace."""
        ...
