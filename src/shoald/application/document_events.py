"""What happens to documents of collections, as events: a finished call, import or build is one batch."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from shoald.domain.platform_words import EventType
from shoald.domain.records.collection import Collection
from shoald.domain.records.event import Event

_SUBJECT = "collection"


def documents_written(collection: Collection, at: datetime, *, added: int, updated: int, by: str) -> Event:
    """Return that documents were stored, new or replaced, by a call about them alone."""
    counts = {"document_count": added + updated, "added_count": added, "updated_count": updated, "written_by": by}
    return _event(EventType.COLLECTION_DOCUMENTS_WRITTEN, collection, at, counts)


def batch_written(
    collection: Collection, at: datetime, *, added: int, updated: int, by: str, began_at: datetime
) -> Iterator[Event]:
    """Yield that documents were stored, and that the upsert, import or build which brought them has ended.

    `collection` is as it is behind them, with the revision that they made. They are seen from the commit on, but were
    made at `began_at`: whoever looks for what a run has not seen needs both.
    """
    counts = {"document_count": added + updated, "added_count": added, "updated_count": updated, "written_by": by}
    counts |= {"revision": collection.revision, "began_at": began_at.isoformat()}
    yield _event(EventType.COLLECTION_DOCUMENTS_WRITTEN, collection, at, counts)
    yield _event(EventType.COLLECTION_DOCUMENTS_BATCH_COMPLETED, collection, at, counts)


def documents_updated(collection: Collection, at: datetime, *, updated: int) -> Event:
    """Return that fields of documents were changed."""
    counts = {"document_count": updated, "added_count": 0, "updated_count": updated}
    return _event(EventType.DOCUMENTS_UPDATED_BATCH, collection, at, counts)


def documents_deleted(collection: Collection, at: datetime, *, deleted: int, reason: str | None = None) -> Event:
    """Return that documents were deleted, and why if that was said."""
    said = {} if reason is None else {"reason": reason}
    return _event(EventType.DOCUMENTS_DELETED_BATCH, collection, at, {"document_count": deleted, **said})


def document_event(kind: EventType, collection: Collection, document_id: str, at: datetime) -> Event:
    """Return that one document was made, changed or deleted by a call about it alone.

    It is told beside the event of the collection, which counts documents whatever call wrote them.
    """
    return Event(
        event_type=kind,
        namespace_id=collection.namespace_id,
        subject_type="document",
        subject_id=document_id,
        occurred_at=at,
        metadata={
            "document_id": document_id,
            "collection_id": collection.collection_id,
            "collection_name": collection.collection_name,
        },
    )


def collection_event(kind: EventType, collection: Collection, at: datetime) -> Event:
    """Return that a collection was made, changed or deleted."""
    return Event(
        event_type=kind,
        namespace_id=collection.namespace_id,
        subject_type=_SUBJECT,
        subject_id=collection.collection_id,
        occurred_at=at,
        metadata={"collection_id": collection.collection_id, "collection_name": collection.collection_name},
    )


def _event(kind: EventType, collection: Collection, at: datetime, counts: dict[str, Any]) -> Event:
    return Event(
        event_type=kind,
        namespace_id=collection.namespace_id,
        subject_type=_SUBJECT,
        subject_id=collection.collection_id,
        occurred_at=at,
        metadata={
            "collection_id": collection.collection_id,
            "collection_name": collection.collection_name,
            "is_batch": True,
            **counts,
        },
    )
