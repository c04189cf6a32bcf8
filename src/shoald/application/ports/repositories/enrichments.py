"""What the use cases ask of stored enrichments, and of what they wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shoald.domain.json_types import JsonObject
from shoald.domain.records.enrichment import Enrichment


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What one batch did: documents that were written, and those of them that it made."""

    enriched: int = 0
    made: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrichedFields:
    """Payload keys of a collection that were written back, and a number that each writing raises."""

    collection_id: str
    fields: frozenset[str]
    version: int


class EnrichmentRepository(Protocol):
    """Stored enrichments. Whoever writes documents by them has locked the collections."""

    def add(self, enrichment: Enrichment) -> None:
        """Store a pending enrichment."""
        ...

    def get(self, enrichment_id: str, *, lock: bool = False) -> Enrichment | None:
        """Return an enrichment of any cluster, kept from other writers until the transaction ends if asked."""
        ...

    def newest(self, cluster_ids: Sequence[str]) -> Mapping[str, Enrichment]:
        """Return the enrichment of each cluster that was asked for last."""
        ...

    def change(self, enrichment_id: str, **values: Any) -> None:
        """Store new values of some fields."""
        ...

    def write(
        self, enrichment: Enrichment, collection_id: str, values: Mapping[str, JsonObject], *, at: datetime
    ) -> Written:
        """Lay values over the payloads of documents of one source collection, by document id, and keep what was there.

        With a target collection they go there: into the document of the same id or, where there is none, into one that
        is made of the source's payload. Vectors are not copied. What an earlier batch of the same enrichment wrote is
        added to, and what was there before the first is kept.
        """
        ...

    def restore(self, enrichment: Enrichment, *, limit: int, at: datetime) -> int:
        """Bring back what was there before, for so many documents at most, and forget it; return how many those were.

        What was changed since stays as it is. Documents that were made, and not changed since, are deleted.
        """
        ...

    def is_overtaken(self, enrichment: Enrichment) -> bool:
        """Say whether a newer one of the same cluster and partition writes, or wrote, all that this one writes."""
        ...

    def replace_older(self, enrichment: Enrichment) -> None:
        """Note that older ones of the cluster and partition, all of whose fields this one wrote, cannot be undone."""
        ...

    def forget(self, enrichment_id: str) -> None:
        """Remove what was kept of what was there before."""
        ...

    def delete(self, cluster_id: str) -> Sequence[str]:
        """Remove the enrichments of a cluster, and what they kept; return the ids of their jobs."""
        ...

    def fields_version(self, collection_id: str) -> int:
        """Return a number that is raised whenever fields of a collection's documents are written, or brought back."""
        ...

    def fields_of_items(self, set_id: str, build_id: str | None = None) -> EnrichedFields | None:
        """Return what was written into the documents that an index made of this chunk set, or that are this build's.

        None where nothing was; where several indexes made documents of the set, that of the one that was written last.
        """
        ...
