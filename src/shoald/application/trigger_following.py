"""What follows from elsewhere: runs that ended are noted with the triggers that started them, events are counted.

Both read tables, trust no message, and do each thing in one transaction that holds what it changes, so that any number
of processes may run them and be killed at any moment.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.trigger_events import firing_event
from shoald.application.trigger_firing import database_time
from shoald.application.trigger_starts import after_failure, tell_failure
from shoald.domain.identifiers import new_trigger_id
from shoald.domain.platform_words import EventType, FiringStatus, TriggerEvent, TriggerStatus, TriggerType
from shoald.domain.records.cluster import Cluster, ClusterRun
from shoald.domain.records.event import Event
from shoald.domain.records.trigger import Firing, Trigger
from shoald.domain.triggers.counting import counted_of
from shoald.domain.triggers.schedules import EventSchedule, read_schedule
from shoald.domain.vocabulary import ExecutionStatus

log = logging.getLogger(__name__)

_BATCH = 100
_EVENTS_AT_ONCE = 500
READER = "triggers"
"""The name of the place in the events up to which triggers have counted."""
_ENDS = {
    ExecutionStatus.COMPLETED: FiringStatus.COMPLETED,
    ExecutionStatus.FAILED: FiringStatus.FAILED,
    ExecutionStatus.CANCELED: FiringStatus.CANCELED,
}


@dataclass(kw_only=True)
class FiringEnds:
    """Notes how runs ended that triggers started, a hundred in a pass; the next one goes on behind them."""

    open_unit_of_work: OpenUnitOfWork
    now: Callable[[UnitOfWork], datetime] = database_time
    batch: int = _BATCH
    _behind: Firing | None = field(default=None, init=False)

    def run_pass(self) -> int:
        """Note what ended, and say how many."""
        with self.open_unit_of_work(reading=True) as uow:
            ended = uow.triggers.ended(self.batch, behind=self._behind)
        self._behind = ended[-1] if len(ended) == self.batch else None
        return sum(self._tried(firing) for firing in ended)

    def _tried(self, firing: Firing) -> bool:
        """Note one; what goes wrong with it does not keep others waiting."""
        try:
            return self._note(firing)
        except Exception:
            log.exception("the end of the run %s is not noted yet; a later pass tries again", firing.run_id)
            return False

    def _note(self, firing: Firing) -> bool:
        with self.open_unit_of_work() as uow:
            if not uow.triggers.hold_firing(firing):
                return False
            run_id = firing.run_id or ""
            run = uow.cluster_runs.get_many([run_id]).get(run_id)
            trigger, now = uow.triggers.hold(firing.trigger_id), self.now(uow)
            if trigger is None:
                return False
            _settle(uow, trigger, _ended(firing, run, now), now)
            uow.commit()
        return True


def _ended(firing: Firing, run: ClusterRun | None, now: datetime) -> Firing:
    """Return a firing as its run ended; one that is gone counts as canceled."""
    if run is None:
        return replace(firing, status=FiringStatus.CANCELED, completed_at=now, error="the run was deleted")
    ended, began = run.completed_at or now, run.started_at or run.created_at
    return replace(
        firing,
        status=_ENDS[ExecutionStatus(run.status)],
        completed_at=ended,
        error=run.error_message,
        execution_time_ms=max(0, round((ended - began) / timedelta(milliseconds=1))),
        num_clusters=run.num_clusters if run.status == ExecutionStatus.COMPLETED else None,
        num_documents=run.num_points if run.status == ExecutionStatus.COMPLETED else None,
    )


def _settle(uow: UnitOfWork, trigger: Trigger, firing: Firing, now: datetime) -> None:
    uow.triggers.settle(firing)
    present = _after(trigger, firing, now)
    uow.triggers.save(present)
    if firing.status == FiringStatus.FAILED:
        tell_failure(uow, present, firing, now)
    elif firing.status == FiringStatus.COMPLETED:
        uow.events.add(firing_event(EventType.TRIGGER_EXECUTION_COMPLETED, present, firing, now))


def _after(trigger: Trigger, firing: Firing, now: datetime) -> Trigger:
    """Return a trigger as the end of a run leaves it; what it says of its last run is about no run before that."""
    if firing.status == FiringStatus.FAILED:
        present = after_failure(trigger, firing.error, now)
    else:
        is_done = firing.status == FiringStatus.COMPLETED
        present = replace(
            trigger,
            consecutive_failures=0 if is_done else trigger.consecutive_failures,
            last_execution_status=str(firing.status),
            last_execution_error=None if is_done else firing.error,
            updated_at=now,
        )
    if firing.job_id == trigger.last_execution_job_id:
        return present
    return replace(
        present,
        last_execution_status=trigger.last_execution_status,
        last_execution_error=trigger.last_execution_error,
    )


@dataclass(slots=True)
class _Tally:
    """What came to one collection: counts, each with the time of its event, and whether a batch was among it."""

    counts: list[tuple[datetime, Mapping[TriggerEvent, int]]] = field(default_factory=list)

    @property
    def has_batch(self) -> bool:
        return any(TriggerEvent.BATCH_COMPLETED in counted for _, counted in self.counts)

    def since(self, moment: datetime, kind: TriggerEvent) -> int:
        """Return how much came after a moment."""
        return sum(counted.get(kind, 0) for at, counted in self.counts if at >= moment)


@dataclass(frozen=True, kw_only=True)
class EventCounting:
    """Counts events for the triggers that wait for them; each is counted once, in the order of commits."""

    open_unit_of_work: OpenUnitOfWork
    now: Callable[[UnitOfWork], datetime] = database_time

    def run_pass(self) -> int:
        """Count what is new, and say how many events were read."""
        read = 0
        while (more := self._count_some()) > 0:
            read += more
            if more < _EVENTS_AT_ONCE:
                break
        return read

    def _count_some(self) -> int:
        with self.open_unit_of_work() as uow:
            position = uow.events.position(READER)
            if position is None:
                return 0
            events = uow.events.after(position, _EVENTS_AT_ONCE)
            if not events:
                uow.commit()
                return 0
            now, last = self.now(uow), events[-1].sequence or position
            for (namespace_id, collection_id), tally in sorted(_tallies(events).items()):
                self._count(uow, namespace_id, collection_id, tally, last, now)
            uow.events.move(READER, last)
            uow.commit()
        return len(events)

    def _count(
        self, uow: UnitOfWork, namespace_id: str, collection_id: str, tally: _Tally, last: int, now: datetime
    ) -> None:
        if tally.has_batch:
            first = min(at for at, _ in tally.counts)
            for cluster_id in uow.triggers.automatic_clusters(namespace_id, collection_id):
                cluster = uow.clusters.find(namespace_id, cluster_id)
                if cluster is not None:
                    uow.triggers.add(_automatic(cluster, min(first, now), now))
        for trigger in uow.triggers.hold_counting(namespace_id, collection_id):
            counted = _counted(uow, trigger, tally, last, now)
            if counted is not trigger:
                uow.triggers.save(counted)


def _tallies(events: Sequence[Event]) -> dict[tuple[str, str], _Tally]:
    found: dict[tuple[str, str], _Tally] = defaultdict(_Tally)
    for event in events:
        collection_id, counted = counted_of(event)
        if counted:
            found[event.namespace_id, collection_id].counts.append((event.occurred_at, counted))
    return found


def _counted(uow: UnitOfWork, trigger: Trigger, tally: _Tally, last: int, now: datetime) -> Trigger:
    """Return a trigger with what came for it since it was made or resumed, due when that is enough."""
    schedule = read_schedule(trigger.trigger_type, trigger.schedule_config)
    if not isinstance(schedule, EventSchedule):
        return trigger
    came = tally.since(trigger.anchor_at, schedule.event_type)
    if came == 0:
        return trigger
    if trigger.is_automatic:
        schedule = replace(schedule, cooldown_seconds=_cooldown(uow, trigger, schedule))
    count = min(trigger.event_counter + came, 2**31 - 1)
    ready = schedule.ready(count, trigger.last_triggered_at, now)
    due = trigger.due_at if trigger.due_at is not None else ready
    return replace(trigger, event_counter=count, event_sequence=last, due_at=due, updated_at=now)


def _cooldown(uow: UnitOfWork, trigger: Trigger, schedule: EventSchedule) -> int:
    """Return what a definition says now of the time between its automatic runs."""
    cluster = uow.clusters.find(trigger.namespace_id, trigger.cluster_id)
    said = None if cluster is None else cluster.definition.get("auto_execute_cooldown_seconds")
    return schedule.cooldown_seconds if said is None else int(said)


def _automatic(cluster: Cluster, anchor: datetime, now: datetime) -> Trigger:
    """Return the trigger that `auto_execute_on_batch` means."""
    config = {
        "event_type": TriggerEvent.BATCH_COMPLETED.value,
        "event_threshold": 1,
        "collection_id": None,
        "cooldown_seconds": int(cluster.definition.get("auto_execute_cooldown_seconds") or 0),
    }
    return Trigger(
        trigger_id=new_trigger_id(),
        namespace_id=cluster.namespace_id,
        cluster_id=cluster.cluster_id,
        trigger_type=TriggerType.EVENT.value,
        schedule_config=config,
        changes={},
        status=TriggerStatus.ACTIVE,
        is_automatic=True,
        anchor_at=max(cluster.created_at, anchor),
        due_at=None,
        created_at=now,
        updated_at=now,
    )
