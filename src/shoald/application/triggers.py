"""Triggers: made, found, changed and taken out of use, and fired by hand; `trigger_firing` fires them by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from shoald.application.access import Caller
from shoald.application.cluster_definitions import read_spec
from shoald.application.clusters import Clusters, find_cluster, find_collections
from shoald.application.jobs import Jobs
from shoald.application.ports.repositories.triggers import TriggerFilter
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.trigger_events import trigger_event
from shoald.application.trigger_measuring import drifting_vectors
from shoald.application.trigger_requests import CONFIG
from shoald.application.trigger_starts import Slot, TriggerStarts
from shoald.domain.failures import Conflict, InvalidFields, TooManyTriggers, TriggerNotFound
from shoald.domain.filters import parse_filter
from shoald.domain.identifiers import new_trigger_id, new_uuid
from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import EventType, TriggerStatus
from shoald.domain.records.cluster import Cluster
from shoald.domain.records.job import Job
from shoald.domain.records.trigger import MOST_ACTIVE, Firing, Trigger
from shoald.domain.triggers.schedules import (
    DRIFT_METRICS,
    EventSchedule,
    normalized_schedule,
    read_schedule,
    timing_of,
)

_FIRST_STATES = (TriggerStatus.ACTIVE, TriggerStatus.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerRequest:
    """What to start, and when: `cluster` by id or name, or a `definition` of which a cluster is made.

    `execution_config` is how the definition was said, `changes` are what runs change of it.
    """

    cluster: str | None
    definition: JsonObject = field(default_factory=dict[str, Any])
    execution_config: JsonObject = field(default_factory=dict[str, Any])
    trigger_type: str
    schedule_config: JsonObject
    changes: JsonObject = field(default_factory=dict[str, Any])
    name: str | None = None
    description: str | None = None
    status: str = TriggerStatus.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerChanges:
    """What to change of a trigger; None stays as it is."""

    schedule_config: JsonObject | None = None
    name: str | None = None
    description: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerQuery:
    """Which triggers to list, in which order."""

    cluster: str | None = None
    trigger_type: str | None = None
    status: str | None = None
    action_type: str | None = None
    limit: int = 50
    offset: int = 0
    sort_by: str = "created_at"
    descending: bool = True


@dataclass(frozen=True, slots=True)
class TriggerState:
    """A trigger and the time at which it was read."""

    trigger: Trigger
    read_at: datetime

    @property
    def is_overdue(self) -> bool:
        """Whether it should have fired."""
        due = self.trigger.due_at
        is_timed = timing_of(read_schedule(self.trigger.trigger_type, self.trigger.schedule_config)) is not None
        return is_timed and due is not None and due < self.read_at


class Triggers:
    """The triggers of the caller's namespace."""

    def __init__(
        self, *, open_unit_of_work: OpenUnitOfWork, clusters: Clusters, starts: TriggerStarts, jobs: Jobs
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clusters = clusters
        self._starts = starts
        self._jobs = jobs

    def create(self, caller: Caller, request: TriggerRequest) -> TriggerState:
        """Make a trigger, and the cluster that it runs where there is none yet.

        Raises `InvalidFields`, `ClusterNotFound`, `CollectionNotFound`, `Unsupported`, and `TooManyTriggers` when the
        namespace has 50 active ones.
        """
        schedule = normalized_schedule(request.trigger_type, request.schedule_config)
        if request.status not in _FIRST_STATES:
            raise _bad_status(request.status)
        parse_filter(request.changes.get("filters"), "body", "action_config", "filters")
        with self._open_unit_of_work() as uow:
            cluster = self._cluster(uow, caller, request)
            _check(uow, cluster, request, schedule)
            if request.status == TriggerStatus.ACTIVE:
                _require_room(uow, caller)
            trigger = _made(uow, caller, request, cluster, _with_collection(uow, caller, schedule))
            uow.triggers.add(trigger)
            uow.events.add(trigger_event(EventType.TRIGGER_CREATED, trigger, trigger.created_at))
            uow.commit()
        return TriggerState(trigger, trigger.created_at)

    def _cluster(self, uow: UnitOfWork, caller: Caller, request: TriggerRequest) -> Cluster:
        """Return the cluster to run, made from the request where it names none."""
        if request.cluster:
            return find_cluster(uow, caller, request.cluster)
        if not request.definition:
            message = "cluster_id or execution_config is required"
            raise InvalidFields.field("body", "cluster_id", message=message, kind="missing")
        try:
            return self._clusters.add(uow, caller, request.definition)
        except InvalidFields as refused:
            raise refused.within(*CONFIG) from refused

    def get(self, caller: Caller, trigger_id: str) -> TriggerState:
        """Return a trigger; raises `TriggerNotFound`."""
        with self._open_unit_of_work() as uow:
            return TriggerState(_found(uow, caller, trigger_id), uow.triggers.now())

    def list(self, caller: Caller, query: TriggerQuery) -> tuple[Sequence[TriggerState], int]:
        """Return a page of triggers, deleted ones among them, and how many there are in all."""
        with self._open_unit_of_work() as uow:
            wanted = _wanted(uow, caller, query)
            rows = uow.triggers.find(
                wanted, limit=query.limit, offset=query.offset, sort_by=query.sort_by, descending=query.descending
            )
            now, total = uow.triggers.now(), uow.triggers.count(wanted)
        return [TriggerState(row, now) for row in rows], total

    def update(self, caller: Caller, trigger_id: str, changes: TriggerChanges) -> TriggerState:
        """Change what is set; a new schedule begins now, and events go on being counted if they are the same ones.

        Raises `TriggerNotFound`, `InvalidFields`, `TooManyTriggers`, and `Conflict` for a trigger that was deleted.
        """
        with self._open_unit_of_work() as uow:
            trigger, now = _held(uow, caller, trigger_id), uow.triggers.now()
            present = replace(
                trigger,
                name=trigger.name if changes.name is None else changes.name,
                description=trigger.description if changes.description is None else changes.description,
            )
            if changes.schedule_config is not None:
                present = _rescheduled(uow, caller, present, changes.schedule_config, now)
            if changes.status is not None and changes.status != trigger.status:
                present = _moved(uow, caller, present, changes.status, now)
            return _kept(uow, trigger, replace(present, updated_at=now), now)

    def pause(self, caller: Caller, trigger_id: str) -> TriggerState:
        """Keep a trigger from firing; raises `TriggerNotFound`, and `Conflict` for one that was deleted."""
        return self.update(caller, trigger_id, TriggerChanges(status=TriggerStatus.PAUSED))

    def resume(self, caller: Caller, trigger_id: str) -> TriggerState:
        """Let a trigger fire again, beginning now; raises what `update` raises."""
        return self.update(caller, trigger_id, TriggerChanges(status=TriggerStatus.ACTIVE))

    def delete(self, caller: Caller, trigger_id: str) -> None:
        """Take a trigger out of use for good and keep its history; again changes nothing. Raises `TriggerNotFound`."""
        with self._open_unit_of_work() as uow:
            _found(uow, caller, trigger_id)
            trigger, now = uow.triggers.hold(trigger_id), uow.triggers.now()
            if trigger is None:
                raise _not_found(trigger_id)
            if trigger.status != TriggerStatus.DISABLED:
                _kept(uow, trigger, _moved(uow, caller, trigger, TriggerStatus.DISABLED, now), now)

    def execute(self, caller: Caller, trigger_id: str) -> Job:
        """Start what a trigger starts, whatever its schedule says.

        Raises `TriggerNotFound`, `Conflict` for one that was deleted, and what stands in the way of the run.
        """
        with self._open_unit_of_work() as uow:
            trigger, now = _held(uow, caller, trigger_id), uow.triggers.now()
            slot = Slot(name=f"manual-{new_uuid()}", due_since=now, fired_for=now)
            job = self._starts.start_or_raise(uow, trigger, slot, now)
            uow.commit()
        self._jobs.dispatch(job)
        return job

    def history(
        self, caller: Caller, trigger_id: str, *, status: str | None = None, limit: int = 50, offset: int = 0
    ) -> tuple[Sequence[Firing], int]:
        """Return a page of firings, newest first, and how many there are in all; raises `TriggerNotFound`."""
        with self._open_unit_of_work() as uow:
            _found(uow, caller, trigger_id)
            return uow.triggers.history(trigger_id, status=status, limit=limit, offset=offset)


def _found(uow: UnitOfWork, caller: Caller, trigger_id: str) -> Trigger:
    trigger = uow.triggers.get(caller.namespace_id, trigger_id)
    if trigger is None:
        raise _not_found(trigger_id)
    return trigger


def _held(uow: UnitOfWork, caller: Caller, trigger_id: str) -> Trigger:
    """Return a trigger that was not deleted, held."""
    _found(uow, caller, trigger_id)
    trigger = uow.triggers.hold(trigger_id)
    if trigger is None:
        raise _not_found(trigger_id)
    if trigger.status == TriggerStatus.DISABLED:
        raise Conflict("The trigger was deleted.", detail={"trigger_id": trigger_id, "status": str(trigger.status)})
    return trigger


def _not_found(trigger_id: str) -> TriggerNotFound:
    return TriggerNotFound(f"There is no trigger {trigger_id!r}.", detail={"trigger_id": trigger_id})


def _bad_status(status: str) -> InvalidFields:
    known = ", ".join(_FIRST_STATES)
    return InvalidFields.field("body", "status", message=f"can be set to {known}", kind="enum", value=str(status))


def _require_room(uow: UnitOfWork, caller: Caller) -> None:
    if uow.triggers.count_active(caller.namespace_id) >= MOST_ACTIVE:
        message = f"A namespace has at most {MOST_ACTIVE} active triggers; pause or delete one."
        raise TooManyTriggers(message, detail={"limit": MOST_ACTIVE})


def _check(uow: UnitOfWork, cluster: Cluster, request: TriggerRequest, schedule: JsonObject) -> None:
    """Raise `InvalidFields` for what a run of the cluster could not do, before one is due."""
    read_spec(cluster.definition, {key: value for key, value in request.changes.items() if key != "mode"})
    if schedule.get("metric") in DRIFT_METRICS:
        _require_measurable(uow, cluster)


def _require_measurable(uow: UnitOfWork, cluster: Cluster) -> None:
    drifting_vectors(cluster, uow.collections.get_many(cluster.namespace_id, cluster.collection_ids))


def _with_collection(uow: UnitOfWork, caller: Caller, schedule: dict[str, Any]) -> dict[str, Any]:
    """Return a schedule whose collection, if it names one, is its id; raises `CollectionNotFound`."""
    named = schedule.get("collection_id")
    if named is None:
        return schedule
    return {**schedule, "collection_id": find_collections(uow, caller, [named])[0].collection_id}


def _made(
    uow: UnitOfWork, caller: Caller, request: TriggerRequest, cluster: Cluster, schedule: dict[str, Any]
) -> Trigger:
    now = uow.triggers.now()
    timing = timing_of(read_schedule(request.trigger_type, schedule))
    is_due = request.status == TriggerStatus.ACTIVE and timing is not None
    shown = {"collection_ids": list(cluster.collection_ids) or [cluster.cluster_id], "config": dict(cluster.definition)}
    return Trigger(
        trigger_id=new_trigger_id(),
        namespace_id=cluster.namespace_id,
        cluster_id=cluster.cluster_id,
        trigger_type=request.trigger_type,
        schedule_config=schedule,
        changes=request.changes,
        status=request.status,
        name=request.name,
        description=request.description,
        execution_config=dict(request.execution_config) or shown,
        anchor_at=now,
        due_at=timing.first(now) if is_due and timing is not None else None,
        created_by=None if caller.key is None else caller.key.key_id,
        created_at=now,
        updated_at=now,
    )


def _rescheduled(uow: UnitOfWork, caller: Caller, trigger: Trigger, config: JsonObject, now: datetime) -> Trigger:
    normalized = normalized_schedule(trigger.trigger_type, config)
    if normalized.get("metric") in DRIFT_METRICS:
        _require_measurable(uow, find_cluster(uow, caller, trigger.cluster_id))
    schedule = _with_collection(uow, caller, normalized)
    timing = timing_of(read_schedule(trigger.trigger_type, schedule))
    if timing is None:
        return _recounted(trigger, schedule, now)
    due = timing.first(now) if trigger.is_active else None
    return replace(trigger, schedule_config=schedule, anchor_at=now, due_at=due)


def _recounted(trigger: Trigger, schedule: JsonObject, now: datetime) -> Trigger:
    """Return an event trigger with another schedule: what it counted holds while the same is counted."""
    present = replace(trigger, schedule_config=schedule)
    if any(trigger.schedule_config[name] != schedule[name] for name in ("event_type", "collection_id")):
        return replace(present, event_counter=0, anchor_at=now, due_at=None)
    return replace(present, due_at=_ready(present, now) if present.is_active else None)


def _ready(trigger: Trigger, now: datetime) -> datetime | None:
    """Return when a trigger may fire for the events that it has counted, None while they are too few."""
    schedule = read_schedule(trigger.trigger_type, trigger.schedule_config)
    if not isinstance(schedule, EventSchedule):
        return None
    return schedule.ready(trigger.event_counter, trigger.last_triggered_at, now)


def _moved(uow: UnitOfWork, caller: Caller, trigger: Trigger, status: str, now: datetime) -> Trigger:
    """Return a trigger in another state; one that becomes active begins now, without failures."""
    if status == TriggerStatus.FAILED:
        raise _bad_status(status)
    if status != TriggerStatus.ACTIVE:
        return replace(trigger, status=status, due_at=None, updated_at=now)
    _require_room(uow, caller)
    timing = timing_of(read_schedule(trigger.trigger_type, trigger.schedule_config))
    due = _ready(trigger, now) if timing is None else timing.next(now, now)
    return replace(trigger, status=status, due_at=due, anchor_at=now, consecutive_failures=0, updated_at=now)


_MOVES = {
    TriggerStatus.ACTIVE: EventType.TRIGGER_RESUMED,
    TriggerStatus.PAUSED: EventType.TRIGGER_PAUSED,
    TriggerStatus.DISABLED: EventType.TRIGGER_DELETED,
}


def _kept(uow: UnitOfWork, before: Trigger, present: Trigger, now: datetime) -> TriggerState:
    """Store a changed trigger, tell it, and commit."""
    is_moved = before.status != present.status
    kind = _MOVES[TriggerStatus(present.status)] if is_moved else EventType.TRIGGER_UPDATED
    uow.triggers.save(present)
    uow.events.add(trigger_event(kind, present, now))
    uow.commit()
    return TriggerState(present, now)


def _wanted(uow: UnitOfWork, caller: Caller, query: TriggerQuery) -> TriggerFilter:
    cluster_id = query.cluster
    if cluster_id is not None:
        found = uow.clusters.find(caller.namespace_id, cluster_id)
        cluster_id = cluster_id if found is None else found.cluster_id
    return TriggerFilter(
        namespace_id=caller.namespace_id,
        cluster_id=cluster_id,
        trigger_type=query.trigger_type,
        status=query.status,
        action_type=query.action_type,
    )
