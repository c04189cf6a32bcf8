"""Something that happened to a thing of a namespace, told to whoever asked: webhooks and triggers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shoald.domain.identifiers import new_event_id
from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import EventType


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened, to what, and when; stored in the transaction that made it true.

    `subject_type` is the kind of thing in the words of the document (`cluster`, `collection`, `trigger`). `metadata`
    is what else receivers are told: ids and counts, never texts or vectors. `sequence` is its place among the events
    of all namespaces, None until a reader gave it one.
    """

    event_type: EventType
    namespace_id: str
    subject_type: str
    subject_id: str
    occurred_at: datetime
    metadata: JsonObject = field(default_factory=dict[str, Any])
    event_id: str = field(default_factory=new_event_id)
    sequence: int | None = None

    @property
    def resource_type(self) -> str:
        """The kind of resource that it is about, as webhooks choose by it: what ran, else the type's first word.

        >>> from datetime import UTC, datetime
        >>> Event(
        ...     event_type=EventType.CLUSTER_CREATED,
        ...     namespace_id="ns_a",
        ...     subject_type="cluster",
        ...     subject_id="clust_1",
        ...     occurred_at=datetime(2026, 11, 1, tzinfo=UTC),
        ... ).resource_type
        'cluster'
        """
        return str(self.metadata.get("resource_type") or self.event_type.partition(".")[0])
