"""The scheduler: what heals jobs, tells and delivers events, fires triggers, and sweeps up, each round at its pace.

What somebody waits for has lanes apart from what may take long: measuring conditions and sweeping delay no slot.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from shoald.application.embedding_prune import EmbeddingPrune
from shoald.application.event_telling import EventTelling, TellingSweep
from shoald.application.job_reconciling import JobSweep, OutboxRelay, Reconciler, log_event
from shoald.application.jobs import QUEUES
from shoald.application.label_prune import LabelPrune
from shoald.application.object_sweep import ObjectSweep
from shoald.application.payload_indexing import PayloadIndexRound
from shoald.application.vector_sweep import VectorSweep
from shoald.scheduler.couriers import Couriers
from shoald.scheduler.rounds import Round, Scheduler
from shoald.wiring.adapters import Adapters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoald.application.access import Caller
    from shoald.application.ports.unit_of_work import UnitOfWork
    from shoald.application.trigger_measuring import Measurement
    from shoald.domain.json_types import JsonObject
    from shoald.domain.records.cluster import ClusterRun
    from shoald.domain.records.job import Job
    from shoald.domain.records.trigger import Trigger
    from shoald.domain.triggers.schedules import ConditionalSchedule

_JOB_SWEEP_SECONDS = 60.0
_SWEEP_SECONDS = 3600.0
_JOBS, _TELLING, _TRIGGERS, _CONDITIONS = "jobs", "telling", "triggers", "conditions"
_JOB_SWEEPS, _SWEEPS = "job sweeps", "sweeps"


def build_scheduler(adapters: Adapters) -> Scheduler:
    """Build what does all rounds."""
    return Scheduler(
        rounds=[
            *_job_rounds(adapters),
            *_telling_rounds(adapters),
            *_trigger_rounds(adapters),
            *_sweeps(adapters),
        ]
    )


def _job_rounds(adapters: Adapters) -> list[Round]:
    """Return what brings jobs on their way, tells of them, and makes those that build indexes of payloads."""
    settings, moves, dispatch = adapters.settings, adapters.job_moves, adapters.job_dispatch
    late = timedelta(seconds=settings.redispatch_seconds)
    reconciler = Reconciler(moves=moves, dispatch=dispatch, redispatch_after=late)
    relay = OutboxRelay(moves=moves, tell=log_event)
    indexes = PayloadIndexRound(open_unit_of_work=adapters.open_unit_of_work, jobs=adapters.jobs, clock=adapters.clock)
    sweep = JobSweep(moves=moves, dispatch=dispatch, queues=QUEUES, keep_jobs=timedelta(days=settings.job_keep_days))
    return [
        Round(name="reconciled", seconds=settings.reconcile_seconds, run=reconciler.run_pass, lane=_JOBS),
        Round(name="relayed", seconds=settings.reconcile_seconds, run=relay.run_pass, lane=_JOBS),
        Round(name="payload indexes", seconds=settings.reconcile_seconds, run=indexes.run_pass, lane=_JOBS),
        Round(name="swept", seconds=_JOB_SWEEP_SECONDS, run=sweep.run_pass, lane=_JOB_SWEEPS),
    ]


def _telling_rounds(adapters: Adapters) -> list[Round]:
    """Return what makes deliveries of events, sends them, and removes both when they are old."""
    settings, delivering, opens = adapters.settings, adapters.delivering, adapters.open_as_system
    telling = EventTelling(open_unit_of_work=opens)
    couriers = Couriers(take=delivering.take, carry_out=delivering.carry_out, threads=settings.webhook_threads)
    adapters.on_close.callback(couriers.close)
    sweep = TellingSweep(open_unit_of_work=opens, keep=timedelta(days=settings.event_keep_days))
    return [
        Round(name="told", seconds=settings.reconcile_seconds, run=telling.run_pass, lane=_TELLING),
        Round(name="messages sent", seconds=settings.reconcile_seconds, run=couriers.run_pass, lane=_TELLING),
        Round(name="events removed", seconds=_SWEEP_SECONDS, run=sweep.run_pass, lane=_SWEEPS),
    ]


def _sweeps(adapters: Adapters) -> list[Round]:
    """Return what removes objects and vectors that nothing names, and embeddings and answers that are too old."""
    opens, clock, settings = adapters.open_unit_of_work, adapters.clock, adapters.settings
    objects = ObjectSweep(open_unit_of_work=opens, objects=adapters.objects, clock=clock)
    vectors = VectorSweep(open_unit_of_work=opens, clock=clock, indexes=adapters.vector_indexes.swept)
    embeddings = EmbeddingPrune(
        open_unit_of_work=opens,
        clock=clock,
        keep=timedelta(days=settings.embedding_keep_days),
        most_bytes=settings.embedding_keep_mib << 20,
    )
    answers = LabelPrune(open_unit_of_work=opens, clock=clock)
    return [
        Round(name="objects removed", seconds=_SWEEP_SECONDS, run=objects.run_pass, lane=_SWEEPS),
        Round(name="vectors removed", seconds=_SWEEP_SECONDS, run=vectors.run_pass, lane=_SWEEPS),
        Round(name="embeddings removed", seconds=_SWEEP_SECONDS, run=embeddings.run_pass, lane=_SWEEPS),
        Round(name="answers removed", seconds=_SWEEP_SECONDS, run=answers.run_pass, lane=_SWEEPS),
    ]


def _trigger_rounds(adapters: Adapters) -> list[Round]:
    """Return what counts events for triggers, fires those that are due, and notes how their runs ended."""
    from shoald.application.trigger_firing import MEASURED, UNMEASURED, TriggerFiring
    from shoald.application.trigger_following import EventCounting, FiringEnds
    from shoald.application.trigger_starts import TriggerStarts
    from shoald.application.trigger_sweep import TriggerSweep

    opens, seconds = adapters.open_unit_of_work, adapters.settings.reconcile_seconds
    starts, measure = TriggerStarts(accept=partial(_accept_run, adapters)), partial(_measure, adapters)
    firing, conditions = (
        TriggerFiring(open_unit_of_work=opens, starts=starts, jobs=adapters.jobs, measure=measure, types=types)
        for types in (UNMEASURED, MEASURED)
    )
    counting, ends = EventCounting(open_unit_of_work=opens), FiringEnds(open_unit_of_work=opens)
    sweep = TriggerSweep(open_unit_of_work=opens, keep=timedelta(days=adapters.settings.trigger_history_keep_days))
    return [
        Round(name="events counted", seconds=seconds, run=counting.run_pass, lane=_TRIGGERS),
        Round(name="triggers fired", seconds=seconds, run=firing.run_pass, lane=_TRIGGERS),
        Round(name="firings ended", seconds=seconds, run=ends.run_pass, lane=_TRIGGERS),
        Round(name="conditions met", seconds=seconds, run=conditions.run_pass, lane=_CONDITIONS),
        Round(name="firings removed", seconds=_SWEEP_SECONDS, run=sweep.run_pass, lane=_SWEEPS),
    ]


def _accept_run(
    adapters: Adapters, uow: UnitOfWork, caller: Caller, cluster: str, changes: JsonObject
) -> tuple[Job, bool]:
    """Accept a run of a trigger; what reads definitions loads numerics, which a scheduler without triggers does not."""
    from shoald.wiring.cluster_use_cases import build_executions

    return build_executions(adapters).accept(uow, caller, cluster, changes)


def _measure(adapters: Adapters, trigger: Trigger, schedule: ConditionalSchedule) -> Measurement:
    """Look at the condition of a trigger."""
    from shoald.application.trigger_measuring import TriggerMeasuring

    measuring = TriggerMeasuring(
        open_unit_of_work=adapters.open_unit_of_work, centroids=lambda run: _centroids(adapters, run)
    )
    return measuring.measure(trigger, schedule)


def _centroids(adapters: Adapters, run: ClusterRun) -> Mapping[str, Any]:
    """Return the vectors of a run's groups."""
    from shoald.wiring.cluster_use_cases import build_artifacts

    return build_artifacts(adapters).centroid_vectors(run)
