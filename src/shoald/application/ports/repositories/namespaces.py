"""What the use cases ask of stored namespaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shoald.application.listing import Selection
from shoald.domain.records.collection import Namespace, NamespaceCounts


class NamespaceRepository(Protocol):
    """Stored namespaces; ids never change."""

    def add(self, namespace: Namespace) -> None:
        """Store a namespace; raises `AlreadyExists` when its id or name is taken."""
        ...

    def find(self, id_or_name: str) -> Namespace | None:
        """Return the namespace with this id, else the one with this name."""
        ...

    def lock(self, id_or_name: str) -> Namespace | None:
        """Return what `find` does, and keep others from changing it until the transaction ends."""
        ...

    def update(self, namespace: Namespace) -> None:
        """Store name, description and payload indexes; raises `AlreadyExists` when the name is taken."""
        ...

    def delete(self, namespace_id: str) -> None:
        """Remove a namespace with all that belongs to it but for projects, clusters and collections, which are gone
        before.
        """
        ...

    def counts(self, namespace_id: str) -> NamespaceCounts:
        """Return how much a namespace holds."""
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
