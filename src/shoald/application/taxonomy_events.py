"""What happens to taxonomies, and what classifying writes, as the events that receivers are told."""

from __future__ import annotations

from datetime import datetime

from shoald.domain.platform_words import EventType
from shoald.domain.records.event import Event
from shoald.domain.records.taxonomy import Taxonomy

_TAXONOMY = "taxonomy"


def taxonomy_event(kind: EventType, taxonomy: Taxonomy, at: datetime) -> Event:
    """Return that a taxonomy was made, changed or deleted."""
    return Event(
        event_type=kind,
        namespace_id=taxonomy.namespace_id,
        subject_type=_TAXONOMY,
        subject_id=taxonomy.taxonomy_id,
        occurred_at=at,
        metadata={
            "taxonomy_id": taxonomy.taxonomy_id,
            "taxonomy_name": taxonomy.taxonomy_name,
            "node_collection_id": taxonomy.node_collection_id,
        },
    )
