"""A trigger that comes round goes in; a run of its cluster, accepted together with the firing, comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from shoald.application.access import Caller
from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.application.trigger_events import firing_event, trigger_event
from shoald.domain.failures import Busy, Conflict, Failure, Unavailable
from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import EventType, FiringStatus, TriggerStatus
from shoald.domain.records.job import Job
from shoald.domain.records.trigger import FAILURES_IN_A_ROW, Firing, Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One coming round: its name among those of its trigger, the first moment it stands for, and the last."""

    name: str
    due_since: datetime
    fired_for: datetime

    @classmethod
    def at(cls, due_since: datetime, fired_for: datetime) -> Slot:
        """Return the slot of a moment; those missed between the two are part of it."""
        return cls(name=fired_for.isoformat(), due_since=due_since, fired_for=fired_for)


Accept = Callable[[UnitOfWork, Caller, str, JsonObject], tuple[Job, bool]]
"""Accepts a run in an open transaction: `Executions.accept`."""


class TriggerStarts:
    """Starts what triggers start; the caller holds the trigger's row, and commits."""

    def __init__(self, *, accept: Accept) -> None:
        self._accept_run = accept

    def start(self, uow: UnitOfWork, trigger: Trigger, slot: Slot, now: datetime) -> tuple[Trigger, Job | None]:
        """Start a run for a slot that nothing was started for, and store firing and trigger.

        A run that cannot be accepted is a failure of the trigger, and stands in its history; raises `Busy` and
        `Unavailable`, which pass and are none.
        """
        firing = _firing(trigger, slot, now)
        try:
            job, _ = self._accepted(uow, trigger)
        except (Busy, Unavailable):
            raise
        except Failure as failure:
            return self._refused(uow, trigger, firing, failure, now), None
        return self._started(uow, trigger, firing, job, now), job

    def start_or_raise(self, uow: UnitOfWork, trigger: Trigger, slot: Slot, now: datetime) -> Job:
        """Start a run that somebody asked for; what stands in its way is told, and is no failure of the trigger."""
        job, _ = self._accepted(uow, trigger)
        self._started(uow, trigger, _firing(trigger, slot, now), job, now)
        return job

    def skip(self, uow: UnitOfWork, trigger: Trigger, slot: Slot, at_work: tuple[str, str], now: datetime) -> None:
        """Note a slot that came while a run was at work; it starts none."""
        run_id, job_id = at_work
        firing = _firing(trigger, slot, now)
        why = f"skipped: the run {run_id} was still at work"
        _add(uow, replace(firing, status=FiringStatus.SKIPPED, job_id=job_id, error=why, completed_at=now))

    def _accepted(self, uow: UnitOfWork, trigger: Trigger) -> tuple[Job, bool]:
        caller = Caller(namespace_id=trigger.namespace_id)
        return self._accept_run(uow, caller, trigger.cluster_id, trigger.changes)

    def _started(self, uow: UnitOfWork, trigger: Trigger, firing: Firing, job: Job, now: datetime) -> Trigger:
        fired = replace(firing, job_id=job.job_id, run_id=job.payload["run_id"])
        present = replace(
            trigger,
            last_triggered_at=now,
            last_execution_job_id=job.job_id,
            last_execution_status=FiringStatus.PENDING.value,
            last_execution_error=None,
            execution_count=trigger.execution_count + 1,
            updated_at=now,
        )
        _add(uow, fired)
        uow.triggers.save(present)
        uow.events.add(firing_event(EventType.TRIGGER_FIRED, present, fired, now))
        return present

    def _refused(self, uow: UnitOfWork, trigger: Trigger, firing: Firing, failure: Failure, now: datetime) -> Trigger:
        ended = replace(firing, status=FiringStatus.FAILED, error=failure.message, completed_at=now)
        fired = replace(trigger, last_triggered_at=now, last_execution_job_id=None)
        present = after_failure(fired, failure.message, now)
        _add(uow, ended)
        uow.triggers.save(present)
        uow.events.add(firing_event(EventType.TRIGGER_FIRED, present, ended, now))
        tell_failure(uow, present, ended, now)
        return present


def after_failure(trigger: Trigger, message: str | None, now: datetime) -> Trigger:
    """Return a trigger as it is after a run of it failed: the fifth in a row takes it out of use.

    One that is automatic goes on: nobody could resume it, and its cooldown keeps it from failing often.
    """
    failures = trigger.consecutive_failures + 1
    gives_up = trigger.is_active and failures >= FAILURES_IN_A_ROW and not trigger.is_automatic
    return replace(
        trigger,
        consecutive_failures=failures,
        last_execution_status=FiringStatus.FAILED.value,
        last_execution_error=message,
        status=TriggerStatus.FAILED if gives_up else trigger.status,
        due_at=None if gives_up else trigger.due_at,
        updated_at=now,
    )


def tell_failure(uow: UnitOfWork, trigger: Trigger, firing: Firing, now: datetime) -> None:
    """Tell that a run of a trigger failed, and that it fires no more where that is so."""
    uow.events.add(firing_event(EventType.TRIGGER_EXECUTION_FAILED, trigger, firing, now))
    if trigger.status == TriggerStatus.FAILED and trigger.consecutive_failures == FAILURES_IN_A_ROW:
        uow.events.add(trigger_event(EventType.TRIGGER_UPDATED, trigger, now))


def _add(uow: UnitOfWork, firing: Firing) -> None:
    """Store a firing; raises `Conflict`, which undoes everything, when its slot is taken."""
    if not uow.triggers.add_firing(firing):
        raise Conflict(f"The trigger {firing.trigger_id} has fired for {firing.slot}.")


def _firing(trigger: Trigger, slot: Slot, now: datetime) -> Firing:
    return Firing(
        trigger_id=trigger.trigger_id,
        namespace_id=trigger.namespace_id,
        slot=slot.name,
        due_since=slot.due_since,
        fired_for=slot.fired_for,
        triggered_at=now,
    )
