"""Fires what is due, exactly once a slot, in however many processes it runs and whenever they are killed.

A trigger's row says when it is due; who holds the row fires it: the firing (whose key is the slot), the run, its job
and the row's next moment are one transaction. Times are PostgreSQL's, so that no process's clock matters; where that
clock is set, slots that it jumps over are one run, and none comes twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shoald.application.jobs import Jobs
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.trigger_starts import Slot, TriggerStarts
from shoald.domain.failures import Busy, Unavailable
from shoald.domain.platform_words import TriggerType
from shoald.domain.records.trigger import Trigger
from shoald.domain.triggers.schedules import ConditionalSchedule, EventSchedule, Schedule, read_schedule, timing_of

if TYPE_CHECKING:
    from shoald.application.trigger_measuring import Measurement
    from shoald.domain.records.job import Job

log = logging.getLogger(__name__)

UNMEASURED = frozenset({TriggerType.CRON, TriggerType.INTERVAL, TriggerType.EVENT})
"""Triggers that are fired by what their rows say."""
MEASURED = frozenset({TriggerType.CONDITIONAL})
"""Triggers whose conditions are looked at before, which may take long."""

_BATCH = 100
_WAIT = timedelta(seconds=5)
"""After so long an event trigger looks again whether the run that it waits for has ended."""


def database_time(uow: UnitOfWork) -> datetime:
    """Return the time of the database."""
    return uow.triggers.now()


@dataclass(kw_only=True)
class TriggerFiring:
    """One pass after another fires every trigger that has come round.

    A pass takes a hundred, so that what else the scheduler does waits no longer, and the next one goes on behind them:
    those that cannot be fired keep no others waiting. `types` are those of the triggers that it fires.
    """

    open_unit_of_work: OpenUnitOfWork
    starts: TriggerStarts
    jobs: Jobs
    measure: Callable[[Trigger, ConditionalSchedule], Measurement]
    now: Callable[[UnitOfWork], datetime] = database_time
    batch: int = _BATCH
    types: frozenset[TriggerType] = UNMEASURED | MEASURED
    _behind: Trigger | None = field(default=None, init=False)

    def run_pass(self) -> int:
        """Fire what is due, and say how many runs were started. What one trigger meets does not keep others waiting."""
        with self.open_unit_of_work(reading=True) as uow:
            due = uow.triggers.due(self.now(uow), self.batch, types=self.types, behind=self._behind)
        self._behind = due[-1] if len(due) == self.batch else None
        return sum(self._tried(each) for each in due)

    def _tried(self, trigger: Trigger) -> bool:
        try:
            return self._fire(trigger)
        except (Busy, Unavailable) as passing:
            log.warning("trigger %s waits: %s", trigger.trigger_id, passing.message)
        except Exception:
            log.exception("trigger %s could not be fired; a later pass tries again", trigger.trigger_id)
        return False

    def _fire(self, seen: Trigger) -> bool:
        """Fire a trigger if it is still due and nobody else is at it; say whether a run was started."""
        schedule = read_schedule(seen.trigger_type, seen.schedule_config)
        # what may take long is done before anything is held
        found = self.measure(seen, schedule) if isinstance(schedule, ConditionalSchedule) else None
        with self.open_unit_of_work() as uow:
            if seen.due_at is None or not uow.triggers.hold_cluster(seen.cluster_id):
                return False
            trigger, now = uow.triggers.take(seen.trigger_id, seen.due_at), self.now(uow)
            if trigger is None or trigger.schedule_config != seen.schedule_config or now < seen.due_at:
                return False
            job = self._fire_held(uow, trigger, schedule, found, now)
            uow.commit()
        if job is not None:
            self.jobs.dispatch(job)
        return job is not None

    def _fire_held(
        self, uow: UnitOfWork, trigger: Trigger, schedule: Schedule, found: Measurement | None, now: datetime
    ) -> Job | None:
        if isinstance(schedule, EventSchedule):
            return self._fire_for_events(uow, trigger, now)
        due, timing = trigger.due_at or now, timing_of(schedule)
        if timing is None:
            return None
        slot = Slot.at(due, timing.last(now, due, trigger.anchor_at))
        present = replace(trigger, due_at=timing.next(slot.fired_for, trigger.anchor_at))
        if found is not None:
            present = replace(present, measured={**present.measured, **found.record})
            if not found.is_met:
                uow.triggers.save(present)
                return None
        return self._fire_for(uow, present, slot, now)

    def _fire_for(self, uow: UnitOfWork, trigger: Trigger, slot: Slot, now: datetime) -> Job | None:
        at_work = uow.triggers.run_at_work(trigger.cluster_id)
        if uow.triggers.has_fired(trigger.trigger_id, slot.name):
            uow.triggers.save(trigger)  # its clock was set back, or it was resumed
            return None
        if at_work is not None:
            self.starts.skip(uow, trigger, slot, at_work, now)
            uow.triggers.save(trigger)
            return None
        return self.starts.start(uow, trigger, slot, now)[1]

    def _fire_for_events(self, uow: UnitOfWork, trigger: Trigger, now: datetime) -> Job | None:
        """Start a run for the events counted so far; while one is at work they wait, for it may not have seen them."""
        if uow.triggers.run_at_work(trigger.cluster_id) is not None:
            uow.triggers.save(replace(trigger, due_at=now + _WAIT))
            return None
        counted = replace(trigger, due_at=None, event_counter=0, last_cooldown_at=now)
        if trigger.is_automatic and not _wants_run(uow, trigger):
            uow.triggers.save(counted)
            return None
        slot = Slot(name=f"event-{trigger.event_sequence}", due_since=trigger.due_at or now, fired_for=now)
        return self.starts.start(uow, counted, slot, now)[1]


def _wants_run(uow: UnitOfWork, trigger: Trigger) -> bool:
    """Say whether a cluster is to be run after a batch: while it says so, and once it has documents enough."""
    cluster = uow.clusters.find(trigger.namespace_id, trigger.cluster_id)
    if cluster is None or not cluster.definition.get("auto_execute_on_batch"):
        return False
    least = cluster.definition.get("auto_execute_min_documents") or 0
    found = uow.collections.get_many(trigger.namespace_id, cluster.collection_ids)
    return sum(one.document_count for one in found) >= least
