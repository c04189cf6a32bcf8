"""Schedules: what they must say, when they come round, and what their conditions mean."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shoald.domain.failures import InvalidFields
from shoald.domain.platform_words import EventType, TriggerEvent
from shoald.domain.records.event import Event
from shoald.domain.triggers.counting import counted_of
from shoald.domain.triggers.schedules import (
    ConditionalSchedule,
    CronSchedule,
    EventSchedule,
    IntervalSchedule,
    normalized_schedule,
    read_schedule,
)

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)


def test_defaults_are_filled_in_and_nulls_are_nothing() -> None:
    assert normalized_schedule("cron", {"cron_expression": " 0 2 * * * ", "timezone": None}) == {
        "cron_expression": "0 2 * * *",
        "timezone": "UTC",
    }
    assert normalized_schedule("event", {"event_type": "batch_completed"}) == {
        "event_type": "batch_completed",
        "event_threshold": 1,
        "collection_id": None,
        "cooldown_seconds": 300,
    }
    assert normalized_schedule("conditional", {"condition_type": "quality", "threshold": 1})["metric"] == (
        "silhouette_score"
    )


def test_time_zones_are_there_on_a_machine_that_has_none() -> None:
    zoneinfo.reset_tzpath(to=())
    zoneinfo.ZoneInfo.clear_cache()
    try:
        config = normalized_schedule("cron", {"cron_expression": "0 2 * * *", "timezone": "America/New_York"})
        schedule = read_schedule("cron", config)
    finally:
        zoneinfo.reset_tzpath()
    assert isinstance(schedule, CronSchedule)
    assert schedule.first(AT) == datetime(2026, 11, 2, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "config", "wrong"),
    [
        ("interval", {"interval_seconds": 299}, {"interval_seconds"}),
        (
            "interval",
            {"interval_seconds": 300.5, "start_immediately": "yes"},
            {"interval_seconds", "start_immediately"},
        ),
        ("interval", {"interval_seconds": True}, {"interval_seconds"}),
        ("cron", {"cron_expression": "0 2 * * *", "timezone": "../../etc/passwd"}, {"timezone"}),
        ("cron", {"cron_expression": 5}, {"cron_expression"}),
        ("cron", {"cron_expression": "1," * 500 + "1 * * * *"}, {"cron_expression"}),
        ("conditional", {"condition_type": "custom", "threshold": 1}, {"metric"}),
        (
            "conditional",
            {"condition_type": "mood", "threshold": float("nan")},
            {"condition_type", "metric", "threshold"},
        ),
        ("event", {"event_type": "documents_added", "cooldown_seconds": -1, "x": 1}, {"cooldown_seconds", "x"}),
    ],
)
def test_everything_that_is_wrong_is_named(kind: str, config: dict[str, Any], wrong: set[str]) -> None:
    with pytest.raises(InvalidFields) as refused:
        normalized_schedule(kind, config)
    assert {problem.loc[-1] for problem in refused.value.problems} == wrong


def test_intervals_keep_to_their_beginning_however_late_they_are_looked_at() -> None:
    hourly = read_schedule("interval", {"interval_seconds": 3600, "start_immediately": False})
    assert isinstance(hourly, IntervalSchedule)
    assert hourly.first(AT) == AT + timedelta(hours=1)
    late = AT + timedelta(hours=3, minutes=59)
    assert hourly.last(late, AT + timedelta(hours=1), AT) == AT + timedelta(hours=3)
    assert hourly.next(AT + timedelta(hours=3), AT) == AT + timedelta(hours=4)
    assert hourly.next(AT - timedelta(days=1), AT) == AT + timedelta(hours=1)
    assert IntervalSchedule(seconds=300, starts_immediately=True).first(AT) == AT


def test_events_are_waited_for_and_then_for_the_cooldown() -> None:
    schedule = EventSchedule(
        event_type=TriggerEvent.DOCUMENTS_ADDED, threshold=10, collection_id=None, cooldown_seconds=60
    )
    assert schedule.ready(9, None, AT) is None
    assert schedule.ready(10, None, AT) == AT
    assert schedule.ready(10, AT - timedelta(seconds=20), AT) == AT + timedelta(seconds=40)
    assert schedule.ready(10, AT - timedelta(hours=1), AT) == AT


@pytest.mark.parametrize(
    ("condition", "metric", "value", "is_met"),
    [
        ("quality", "silhouette_score", 0.2, True),
        ("quality", "silhouette_score", 0.5, False),
        ("quality", "noise_ratio", 0.6, True),
        ("quality", "noise_ratio", 0.2, False),
        ("drift", "cosine_drift", 0.4, True),
        ("volume", "new_documents", 0.3, False),
        ("custom", "silhouette_score", 0.6, True),
        ("custom", "silhouette_score", 0.2, False),
        ("quality", "silhouette_score", None, False),
    ],
)
def test_conditions(condition: str, metric: str, value: float | None, is_met: bool) -> None:  # noqa: FBT001 - a table
    config = {"condition_type": condition, "metric": metric, "threshold": 0.4}
    schedule = read_schedule("conditional", normalized_schedule("conditional", config))
    assert isinstance(schedule, ConditionalSchedule)
    assert schedule.is_met(value) is is_met


def event(kind: EventType, **told: Any) -> Event:
    metadata = {"collection_id": "col_1", **told}
    return Event(
        event_type=kind,
        namespace_id="ns_1",
        subject_type="collection",
        subject_id="col_1",
        occurred_at=AT,
        metadata=metadata,
    )


def test_what_counts_of_an_event() -> None:
    written = event(
        EventType.COLLECTION_DOCUMENTS_WRITTEN, added_count=3, updated_count=1, is_batch=True, written_by="upsert"
    )
    added, updated, batch = TriggerEvent
    assert counted_of(written) == ("col_1", {added: 3, updated: 1, batch: 1})
    patched = event(EventType.DOCUMENTS_UPDATED_BATCH, updated_count=2, is_batch=True)
    assert counted_of(patched) == ("col_1", {updated: 2})
    assert counted_of(event(EventType.CLUSTER_CREATED))[1] == {}


def test_what_a_run_writes_back_starts_no_run() -> None:
    enriched = event(EventType.DOCUMENTS_UPDATED_BATCH, updated_count=20, is_batch=True, cause="enrichment")
    assert counted_of(enriched)[1] == {}
