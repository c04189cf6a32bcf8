"""What the use cases ask of stored taxonomies; their nodes are documents of collections."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from typing import Protocol

from shoald.application.listing import Selection
from shoald.domain.records.taxonomy import Taxonomy, TaxonomyApplication, TaxonomyListStats


class TaxonomyRepository(Protocol):
    """Stored taxonomies, and what they are attached to."""

    def add(self, taxonomy: Taxonomy) -> None:
        """Store a taxonomy; raises `AlreadyExists` when its name is taken in its namespace."""
        ...

    def find(self, namespace_id: str, id_or_name: str, *, lock: bool = False) -> Taxonomy | None:
        """Return the taxonomy of the namespace with this id, else the one with this name.

        Kept from other writers until the transaction ends if asked.
        """
        ...

    def update(self, taxonomy: Taxonomy) -> None:
        """Store name, description and metadata of a taxonomy; raises `AlreadyExists` when the name is taken."""
        ...

    def delete(self, taxonomy_id: str) -> None:
        """Remove a taxonomy, and detach it from collections."""
        ...

    def list(self, namespace_id: str, selection: Selection) -> Sequence[Taxonomy]:
        """Return taxonomies, newest first unless sorted."""
        ...

    def stats(self, namespace_id: str, selection: Selection) -> TaxonomyListStats:
        """Return figures of what `list` would return without limits."""
        ...

    def attach(self, collection_id: str, applications: Sequence[TaxonomyApplication]) -> None:
        """Put these applications in the place of those that a collection has."""
        ...

    def attached(self, collection_ids: Sequence[str]) -> Mapping[str, builtins.list[TaxonomyApplication]]:
        """Return the applications of collections, in their order; those without any are left out."""
        ...
