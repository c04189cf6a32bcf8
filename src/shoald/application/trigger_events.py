"""What happens to triggers and to the runs that they start, as the events that receivers are told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shoald.domain.platform_words import EventType
from shoald.domain.records.event import Event
from shoald.domain.records.trigger import Firing, Trigger

_TRIGGER = "trigger"


def trigger_event(event_type: EventType, trigger: Trigger, at: datetime, **told: Any) -> Event:
    """Return that something happened to a trigger."""
    return Event(
        event_type=event_type,
        namespace_id=trigger.namespace_id,
        subject_type=_TRIGGER,
        subject_id=trigger.trigger_id,
        occurred_at=at,
        metadata={
            "trigger_id": trigger.trigger_id,
            "cluster_id": trigger.cluster_id,
            "trigger_type": trigger.trigger_type,
            "status": str(trigger.status),
            **told,
        },
    )


def firing_event(event_type: EventType, trigger: Trigger, firing: Firing, at: datetime) -> Event:
    """Return that a trigger fired, or how the run that it started then ended."""
    told: dict[str, Any] = {
        "slot": firing.slot,
        "task_id": firing.job_id,
        "run_id": firing.run_id,
        "fired_for": firing.fired_for.isoformat(),
    }
    if firing.error is not None:
        told["error"] = firing.error
    return trigger_event(event_type, trigger, at, **told)
