"""A trigger's `schedule_config` goes in; when it comes round, and what it waits for, comes out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shoald.domain.failures import FieldProblem, InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import TriggerCondition, TriggerEvent, TriggerType
from shoald.domain.triggers.cron import Cron, CronError, parse_cron

LEAST_INTERVAL = 300
"""Seconds between two slots of an interval trigger, at least."""
LEAST_CHECK = 60
"""Seconds between two looks at a condition, at least."""
_MOST_SECONDS = 366 * 86_400
_DEFAULT_COOLDOWN = 300
_DEFAULT_CHECK = 3_600
_MOST_EVENTS = 2**31 - 1
_LONGEST_TEXT = 1_000
"""Of a schedule's texts: it is read again whenever its trigger is due or shown."""

VOLUME_METRICS = ("new_documents", "document_count", "growth_ratio")
DRIFT_METRICS = ("cosine_drift", "unassigned_ratio")
HIGHER_IS_BETTER = ("silhouette_score", "calinski_harabasz_score", "mean_cosine_to_centroid", "cluster_size_entropy")
LOWER_IS_BETTER = ("noise_ratio", "davies_bouldin_index", "should_recluster")
QUALITY_METRICS = (*HIGHER_IS_BETTER, *LOWER_IS_BETTER)
METRICS: Mapping[str, tuple[str, ...]] = {
    TriggerCondition.DRIFT: DRIFT_METRICS,
    TriggerCondition.VOLUME: VOLUME_METRICS,
    TriggerCondition.QUALITY: QUALITY_METRICS,
    TriggerCondition.CUSTOM: (*DRIFT_METRICS, *VOLUME_METRICS, *QUALITY_METRICS),
}
"""What each condition can be measured by; the first is meant when none is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CronSchedule:
    """By the clocks of a place."""

    cron: Cron
    zone: ZoneInfo

    def first(self, anchor: datetime) -> datetime | None:
        """Return the first slot of a trigger that begins now."""
        return self.next(anchor, anchor)

    def next(self, after: datetime, anchor: datetime) -> datetime | None:
        """Return the first slot later than a moment."""
        del anchor
        return self.cron.next_after(after, self.zone)

    def last(self, now: datetime, due: datetime, anchor: datetime) -> datetime:
        """Return the last slot until now, when `due` is one that has come."""
        del anchor
        return self.cron.last_until(now, self.zone, since=due.astimezone(UTC))


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalSchedule:
    """Every so many seconds from a moment on, whenever the runs before were started and however long they took."""

    seconds: int
    starts_immediately: bool = False

    def first(self, anchor: datetime) -> datetime:
        """Return the first slot of a trigger that begins now."""
        return anchor if self.starts_immediately else anchor + timedelta(seconds=self.seconds)

    def next(self, after: datetime, anchor: datetime) -> datetime:
        """Return the first slot later than a moment."""
        passed = math.floor((after - anchor) / timedelta(seconds=self.seconds))
        return anchor + timedelta(seconds=self.seconds) * max(passed + 1, 1)

    def last(self, now: datetime, due: datetime, anchor: datetime) -> datetime:
        """Return the last slot until now, when `due` is one that has come."""
        return max(due, self.next(now, anchor) - timedelta(seconds=self.seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSchedule:
    """When so many events have come; `collection_id` None means any collection of the cluster."""

    event_type: TriggerEvent
    threshold: int
    collection_id: str | None
    cooldown_seconds: int

    def ready(self, counted: int, last_fired: datetime | None, now: datetime) -> datetime | None:
        """Return when the trigger may fire, None while too few events have come."""
        if counted < self.threshold:
            return None
        cooled = now if last_fired is None else last_fired + timedelta(seconds=self.cooldown_seconds)
        return max(now, cooled)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionalSchedule:
    """When a measurement is as it should not be, looked at every so many seconds."""

    condition: TriggerCondition
    metric: str
    threshold: float
    checks: IntervalSchedule

    def is_met(self, value: float | None) -> bool:
        """Say whether a run is wanted; never when nothing could be measured.

        Quality that is better when it is higher is bad below the threshold; everything else is met from the threshold
        upwards.
        """
        if value is None:
            return False
        if self.condition is TriggerCondition.QUALITY and self.metric in HIGHER_IS_BETTER:
            return value < self.threshold
        return value >= self.threshold


Schedule = CronSchedule | IntervalSchedule | EventSchedule | ConditionalSchedule
Timed = CronSchedule | IntervalSchedule


def timing_of(schedule: Schedule) -> Timed | None:
    """Return when a schedule comes round by the clock; None for one that waits for events."""
    if isinstance(schedule, ConditionalSchedule):
        return schedule.checks
    return None if isinstance(schedule, EventSchedule) else schedule


def normalized_schedule(trigger_type: str, config: JsonObject) -> dict[str, Any]:
    """Return a schedule's configuration with its defaults; raises `InvalidFields` that names everything wrong."""
    reading = _Reading({key: value for key, value in config.items() if value is not None})
    normalized = _NORMALIZERS[TriggerType(trigger_type)](reading)
    reading.finish(normalized)
    return normalized


def read_schedule(trigger_type: str, config: JsonObject) -> Schedule:
    """Read a normalized configuration."""
    kind = TriggerType(trigger_type)
    if kind is TriggerType.CRON:
        return CronSchedule(cron=parse_cron(config["cron_expression"]), zone=ZoneInfo(config["timezone"]))
    if kind is TriggerType.INTERVAL:
        return IntervalSchedule(
            seconds=int(config["interval_seconds"]), starts_immediately=bool(config["start_immediately"])
        )
    if kind is TriggerType.EVENT:
        return EventSchedule(
            event_type=TriggerEvent(config["event_type"]),
            threshold=int(config["event_threshold"]),
            collection_id=config.get("collection_id"),
            cooldown_seconds=int(config["cooldown_seconds"]),
        )
    return ConditionalSchedule(
        condition=TriggerCondition(config["condition_type"]),
        metric=config["metric"],
        threshold=float(config["threshold"]),
        checks=IntervalSchedule(seconds=int(config["check_interval_seconds"])),
    )


class _Reading:
    """Takes a configuration apart and collects what is wrong of it."""

    def __init__(self, config: JsonObject) -> None:
        self._config = config
        self._problems: list[FieldProblem] = []

    def problem(self, name: str, kind: str, message: str) -> None:
        self._problems.append(FieldProblem(("body", "schedule_config", name), kind, message, self._config.get(name)))

    def text(self, name: str, default: str | None = None) -> str:
        value = self._config.get(name, default)
        if value is None:
            self.problem(name, "missing", "Field required")
        elif not isinstance(value, str) or not value.strip():
            self.problem(name, "string_type", "Input should be a text that is not empty")
        elif len(value) > _LONGEST_TEXT:
            self.problem(name, "string_too_long", f"String should have at most {_LONGEST_TEXT} characters")
            return ""
        return value.strip() if isinstance(value, str) else ""

    def word(self, name: str, words: type[TriggerEvent | TriggerCondition]) -> str:
        value = self.text(name)
        known = [word.value for word in words]
        if value and value not in known:
            self.problem(name, "enum", f"Input should be one of {', '.join(known)}")
        return value

    def whole(self, name: str, *, least: int, most: int, default: int | None = None) -> int:
        value = self._config.get(name, default)
        if value is None:
            self.problem(name, "missing", "Field required")
        elif isinstance(value, bool) or not isinstance(value, int | float) or int(value) != value:
            self.problem(name, "int_type", "Input should be a whole number")
        elif value < least:
            self.problem(name, "greater_than_equal", f"Input should be greater than or equal to {least}")
        elif value > most:
            self.problem(name, "less_than_equal", f"Input should be less than or equal to {most}")
        else:
            return int(value)
        return least

    def number(self, name: str) -> float:
        value = self._config.get(name)
        if value is None:
            self.problem(name, "missing", "Field required")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self.problem(name, "float_type", "Input should be a number")
        else:
            return value
        return 0.0

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._config.get(name, default)
        if not isinstance(value, bool):
            self.problem(name, "bool_type", "Input should be true or false")
        return bool(value)

    def has(self, name: str) -> bool:
        return name in self._config

    def finish(self, known: Mapping[str, Any]) -> None:
        """Raise what was found, keys that mean nothing here included."""
        for name in self._config:
            if name not in known:
                self.problem(name, "extra_forbidden", f"there are {', '.join(known)}")
        if self._problems:
            raise InvalidFields(self._problems)


def _cron(reading: _Reading) -> dict[str, Any]:
    expression, zone = reading.text("cron_expression"), reading.text("timezone", "UTC")
    try:
        if expression:
            parse_cron(expression)
    except CronError as error:
        reading.problem("cron_expression", "value_error", str(error))
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        reading.problem("timezone", "value_error", "there is no time zone of this name, such as America/New_York")
    return {"cron_expression": expression, "timezone": zone}


def _interval(reading: _Reading) -> dict[str, Any]:
    return {
        "interval_seconds": reading.whole("interval_seconds", least=LEAST_INTERVAL, most=_MOST_SECONDS),
        "start_immediately": reading.flag("start_immediately", default=False),
    }


def _event(reading: _Reading) -> dict[str, Any]:
    return {
        "event_type": reading.word("event_type", TriggerEvent),
        "event_threshold": reading.whole("event_threshold", least=1, most=_MOST_EVENTS, default=1),
        "collection_id": reading.text("collection_id") if reading.has("collection_id") else None,
        "cooldown_seconds": reading.whole("cooldown_seconds", least=0, most=_MOST_SECONDS, default=_DEFAULT_COOLDOWN),
    }


def _conditional(reading: _Reading) -> dict[str, Any]:
    condition = reading.word("condition_type", TriggerCondition)
    known = METRICS.get(condition, ())
    metric = reading.text("metric", known[0] if known and condition != TriggerCondition.CUSTOM else None)
    if known and metric and metric not in known:
        reading.problem("metric", "value_error", f"{condition} is measured by {', '.join(known)}")
    return {
        "condition_type": condition,
        "metric": metric,
        "threshold": reading.number("threshold"),
        "check_interval_seconds": reading.whole(
            "check_interval_seconds", least=LEAST_CHECK, most=_MOST_SECONDS, default=_DEFAULT_CHECK
        ),
    }


_NORMALIZERS: Mapping[TriggerType, Callable[[_Reading], dict[str, Any]]] = {
    TriggerType.CRON: _cron,
    TriggerType.INTERVAL: _interval,
    TriggerType.EVENT: _event,
    TriggerType.CONDITIONAL: _conditional,
}
