"""An event goes in; the collection that it concerns, and what triggers count of it, come out."""

from __future__ import annotations

from collections.abc import Mapping

from shoald.domain.platform_words import EventType, TriggerEvent
from shoald.domain.records.event import Event

_WRITES = frozenset({EventType.COLLECTION_DOCUMENTS_WRITTEN, EventType.DOCUMENTS_UPDATED_BATCH})
_BATCHES = frozenset({"upsert", "import", "index_build"})


def counted_of(event: Event) -> tuple[str, Mapping[TriggerEvent, int]]:
    """Return the collection of an event about documents and what it counts for; nothing for other events.

    Events say in their metadata how many documents were added and updated, and what wrote them: a batch is one finished
    upsert, import or index build. What a run wrote back by itself (its events have a `cause`) counts for nothing, or a
    trigger would start the run that makes it fire.
    """
    told = event.metadata
    if event.event_type not in _WRITES or told.get("cause"):
        return "", {}
    found = {
        TriggerEvent.DOCUMENTS_ADDED: int(told.get("added_count") or 0),
        TriggerEvent.DOCUMENTS_UPDATED: int(told.get("updated_count") or 0),
        TriggerEvent.BATCH_COMPLETED: int(told.get("written_by") in _BATCHES and bool(told.get("is_batch"))),
    }
    collection_id = str(told.get("collection_id") or event.subject_id)
    return collection_id, {kind: count for kind, count in found.items() if count > 0}
