"""An event goes in; what receivers are told of it comes out, and it in the words of each channel."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from shoald.domain.json_types import JsonObject
from shoald.domain.records.event import Event

_KEY, _COLLECTION, _NAMESPACE = "key", "collection", "namespace"


def payload_of(event: Event) -> dict[str, Any]:
    """Return the documented payload; its bytes are the same at every try.

    `cache_scope` says what a receiver that caches should forget: one `key`, what it knows of a `collection`, or of the
    `namespace`.
    """
    return {
        "event_id": event.event_id,
        "event_type": str(event.event_type),
        "occurred_at": text_of(event.occurred_at),
        "namespace_id": event.namespace_id,
        "subject": {"type": event.subject_type, "id": event.subject_id},
        "metadata": dict(event.metadata),
        "cache_scope": cache_scope(event.event_type),
    }


def cache_scope(event_type: str) -> str:
    """Return how far an event reaches into a cache.

    >>> [cache_scope(word) for word in ("object.created", "documents.updated.batch", "cluster.deleted")]
    ['key', 'collection', 'namespace']
    """
    kind = event_type.partition(".")[0]
    if kind in {"object", "document", "annotation"}:
        return _KEY
    if kind in {"objects", "documents"} or event_type.startswith("collection.documents."):
        return _COLLECTION
    return _NAMESPACE


def text_of(time: datetime) -> str:
    """Return a time as receivers read it: UTC, with `Z`."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def body_of(message: Any) -> bytes:
    """Return a JSON message as the bytes that are signed and sent."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), default=dict).encode()


def line_of(payload: JsonObject) -> str:
    """Return a payload as a line for people.

    >>> line_of({"event_type": "cluster.deleted", "subject": {"type": "cluster", "id": "clust_1"}, "metadata": {}})
    'cluster.deleted: cluster clust_1'
    """
    subject, metadata = payload["subject"], payload["metadata"]
    plain = [f"{key} {value}" for key, value in metadata.items() if isinstance(value, str | int | float)]
    told = [line for line in plain if not line.endswith(f" {subject['id']}")]
    return f"{payload['event_type']}: {subject['type']} {subject['id']}" + (f" ({', '.join(told)})" if told else "")
