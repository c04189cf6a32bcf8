"""What runs write, as events. They name their cause, so that nobody starts a run for what a run wrote."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import EventType
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.records.enrichment import Enrichment
from shoald.domain.records.event import Event


def output_written(run: ClusterRun, collection_id: str, documents: int, at: datetime) -> Event:
    """Return that the documents of an output collection are those of a run."""
    told = {"cause": "cluster_run", "cluster_id": run.cluster_id, "run_id": run.run_id, "document_count": documents}
    return _event(EventType.COLLECTION_DOCUMENTS_WRITTEN, run.namespace_id, collection_id, told, at)


def documents_enriched(enrichment: Enrichment, documents: int, at: datetime) -> Iterator[Event]:
    """Yield for each collection that documents were changed; `documents` is how many in all of them."""
    told: JsonObject = {
        "cause": "enrichment",
        **_origin(enrichment),
        "enrichment_id": enrichment.enrichment_id,
        "document_count": documents,
    }
    for collection_id in enrichment.written_collection_ids:
        yield _event(EventType.DOCUMENTS_UPDATED_BATCH, enrichment.namespace_id, collection_id, told, at)


def _origin(enrichment: Enrichment) -> JsonObject:
    if enrichment.is_classification:
        return {"taxonomy_id": enrichment.cluster_id}
    return {"cluster_id": enrichment.cluster_id, "run_id": enrichment.run_id}


def _event(kind: EventType, namespace_id: str, collection_id: str, told: JsonObject, at: datetime) -> Event:
    return Event(
        event_type=kind,
        namespace_id=namespace_id,
        subject_type="collection",
        subject_id=collection_id,
        occurred_at=at,
        metadata={"collection_id": collection_id, "is_batch": False, **told},
    )
