"""What does jobs: the code of each job type, and the scheduler that heals and sweeps them."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from shoald.application.embedding_prune import EmbeddingPrune
from shoald.application.event_telling import EventTelling, TellingSweep
from shoald.application.job_reconciling import JobSweep, OutboxRelay, Reconciler, log_event
from shoald.application.jobs import QUEUES
from shoald.application.object_sweep import ObjectSweep
from shoald.application.payload_indexing import PayloadIndexRound
from shoald.application.vector_sweep import VectorSweep
from shoald.domain.vocabulary import JobType
from shoald.scheduler.couriers import Couriers
from shoald.scheduler.rounds import Round, Scheduler
from shoald.wiring.adapters import Adapters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoald.application.access import Caller
    from shoald.application.cluster_pipeline import ClusterPipeline
    from shoald.application.ports.jobs import JobHandler
    from shoald.application.ports.unit_of_work import UnitOfWork
    from shoald.application.segmenting import SegmentsHandler
    from shoald.application.trigger_measuring import Measurement
    from shoald.domain.json_types import JsonObject
    from shoald.domain.records.cluster import ClusterRun
    from shoald.domain.records.job import Job
    from shoald.domain.records.trigger import Trigger
    from shoald.domain.triggers.schedules import ConditionalSchedule

_SWEEP_SECONDS = 60.0
_OBJECT_SWEEP_SECONDS = 3600.0


def build_job_handlers(adapters: Adapters) -> None:
    """Say how the handler of each job type is made."""
    handlers = adapters.job_handlers
    handlers.add(JobType.SEGMENTS, lambda: _segments(adapters))
    handlers.add(JobType.SEGMENTS_BATCH, lambda: _segments_batch(adapters))
    handlers.add(JobType.CHUNK, lambda: _chunk(adapters))
    handlers.add(JobType.JOIN, lambda: _join(adapters))
    handlers.add(JobType.CLONE_PATCH, lambda: _clone_patch(adapters))
    handlers.add(JobType.KEYWORD_INDEX, lambda: _keyword_index(adapters))
    handlers.add(JobType.INDEX_BUILD, lambda: _index_build(adapters))
    handlers.add(JobType.EVALUATION, lambda: _evaluation(adapters))
    handlers.add(JobType.PIPELINE, lambda: _pipeline(adapters))
    handlers.add(JobType.CLUSTER_RUN, lambda: _cluster_run(adapters))
    handlers.add(JobType.CLUSTER_SWEEP, lambda: _cluster_sweep(adapters))
    handlers.add(JobType.PAYLOAD_INDEX, lambda: _payload_index(adapters))
    handlers.add(JobType.CLUSTER_MAP, lambda: _cluster_map(adapters))
    handlers.add(JobType.ENRICHMENT, lambda: _enrichment(adapters))
    handlers.add(JobType.ENRICHMENT_UNDO, lambda: _enrichment_undo(adapters))
    handlers.add(JobType.OUTPUT_LABELS, lambda: _output_labels(adapters))
    handlers.add(JobType.COLLECTION_EXPORT, lambda: _collection_export(adapters))


def _segments(adapters: Adapters) -> SegmentsHandler:
    from shoald.application.segmenting import SegmentsHandler

    return SegmentsHandler(
        open_unit_of_work=adapters.open_unit_of_work,
        clock=adapters.clock,
        objects=adapters.objects,
        loader=adapters.document_loader,
    )


def _segments_batch(adapters: Adapters) -> JobHandler:
    from shoald.application.bulk_ingesting import SegmentsBatchHandler

    return SegmentsBatchHandler(
        open_unit_of_work=adapters.open_unit_of_work, clock=adapters.clock, segments=_segments(adapters)
    )


def _chunk(adapters: Adapters) -> JobHandler:
    from shoald.application.chunking import ChunkHandler

    return ChunkHandler(
        open_unit_of_work=adapters.open_unit_of_work,
        clock=adapters.clock,
        embedding=adapters.sentence_embedding,
        keyword_index_jobs=adapters.keyword_index_jobs,
    )


def _join(adapters: Adapters) -> JobHandler:
    from shoald.application.joining import JoinHandler

    return JoinHandler(open_unit_of_work=adapters.open_unit_of_work, clock=adapters.clock)


def _clone_patch(adapters: Adapters) -> JobHandler:
    from shoald.application.clone_patching import ClonePatchHandler

    return ClonePatchHandler(
        open_unit_of_work=adapters.open_unit_of_work,
        clock=adapters.clock,
        objects=adapters.objects,
        keyword_index_jobs=adapters.keyword_index_jobs,
    )


def _keyword_index(adapters: Adapters) -> JobHandler:
    from shoald.application.keyword_indexing import KeywordIndexHandler

    return KeywordIndexHandler(open_unit_of_work=adapters.open_unit_of_work, indexing=adapters.keyword_indexing)


def _index_build(adapters: Adapters) -> JobHandler:
    from shoald.application.index_building import IndexBuildHandler

    return IndexBuildHandler(
        open_unit_of_work=adapters.open_unit_of_work,
        clock=adapters.clock,
        objects=adapters.objects,
        embedders=adapters.embedders,
        embed_texts=adapters.embed_texts,
        vector_indexes=adapters.vector_indexes,
    )


def _evaluation(adapters: Adapters) -> JobHandler:
    from shoald.application.evaluation_work import EvaluationHandler
    from shoald.application.retrieving import Retrieving

    return EvaluationHandler(
        open_unit_of_work=adapters.open_unit_of_work,
        clock=adapters.clock,
        objects=adapters.objects,
        retrieving=lambda: Retrieving(
            open_unit_of_work=adapters.open_unit_of_work,
            clock=adapters.clock,
            objects=adapters.objects,
            searches=adapters.searches,
        ),
    )


def _pipeline(adapters: Adapters) -> JobHandler:
    from shoald.application.pipelines import PipelineHandler

    return PipelineHandler(
        open_unit_of_work=adapters.open_unit_of_work,
        clock=adapters.clock,
        embedding=adapters.sentence_embedding,
        steps=adapters.job_handlers,
    )


def _cluster_run(adapters: Adapters) -> JobHandler:
    from shoald.application.clustering import ClusterRunHandler

    return ClusterRunHandler(clock=adapters.clock, pipeline=lambda: _warmed_pipeline(adapters))


def _collection_export(adapters: Adapters) -> JobHandler:
    from shoald.adapters.parquet.export_tables import FileExportTables
    from shoald.application.collection_exports import CollectionExportHandler

    return CollectionExportHandler(
        open_unit_of_work=adapters.open_unit_of_work,
        clock=adapters.clock,
        objects=adapters.objects,
        tables=FileExportTables(),
    )


def _cluster_map(adapters: Adapters) -> JobHandler:
    from shoald.application.clustering import ClusterMapHandler

    return ClusterMapHandler(pipeline=lambda: _warmed_pipeline(adapters))


def _cluster_sweep(adapters: Adapters) -> JobHandler:
    from shoald.application.sweeping import ClusterSweepHandler

    return ClusterSweepHandler(pipeline=lambda: _warmed_pipeline(adapters))


def _enrichment(adapters: Adapters) -> JobHandler:
    from shoald.application.enrichment_work import EnrichmentHandler

    return EnrichmentHandler(
        open_unit_of_work=adapters.open_unit_of_work,
        clock=adapters.clock,
        objects=adapters.objects,
        tables=adapters.run_tables,
    )


def _enrichment_undo(adapters: Adapters) -> JobHandler:
    from shoald.application.enrichment_work import EnrichmentUndoHandler

    return EnrichmentUndoHandler(open_unit_of_work=adapters.open_unit_of_work, clock=adapters.clock)


def _output_labels(adapters: Adapters) -> JobHandler:
    from shoald.application.output_collections import OutputLabelsHandler

    return OutputLabelsHandler(open_unit_of_work=adapters.open_unit_of_work)


def _payload_index(adapters: Adapters) -> JobHandler:
    from shoald.application.payload_indexing import PayloadIndexHandler

    return PayloadIndexHandler(open_unit_of_work=adapters.open_unit_of_work)


def _warmed_pipeline(adapters: Adapters) -> ClusterPipeline:
    if adapters.warming is not None:  # compiled loops and BLAS limits are for one thread at a time
        adapters.warming.finish()
    return adapters.cluster_pipeline


def build_scheduler(adapters: Adapters) -> Scheduler:
    """Build what heals jobs and sweeps up."""
    settings = adapters.settings
    moves, dispatch = adapters.job_moves, adapters.job_dispatch
    reconciler = Reconciler(
        moves=moves, dispatch=dispatch, redispatch_after=timedelta(seconds=settings.redispatch_seconds)
    )
    objects = ObjectSweep(open_unit_of_work=adapters.open_unit_of_work, objects=adapters.objects, clock=adapters.clock)
    vectors = VectorSweep(
        open_unit_of_work=adapters.open_unit_of_work, clock=adapters.clock, indexes=adapters.vector_indexes.swept
    )
    embeddings = EmbeddingPrune(
        open_unit_of_work=adapters.open_unit_of_work,
        clock=adapters.clock,
        keep=timedelta(days=settings.embedding_keep_days),
        most_bytes=settings.embedding_keep_mib << 20,
    )
    telling = EventTelling(open_unit_of_work=adapters.open_as_system)
    couriers = Couriers(
        take=adapters.delivering.take, carry_out=adapters.delivering.carry_out, threads=settings.webhook_threads
    )
    adapters.on_close.callback(couriers.close)
    telling_sweep = TellingSweep(
        open_unit_of_work=adapters.open_as_system, keep=timedelta(days=settings.event_keep_days)
    )
    relay = OutboxRelay(moves=moves, tell=log_event)
    indexes = PayloadIndexRound(open_unit_of_work=adapters.open_unit_of_work, jobs=adapters.jobs, clock=adapters.clock)
    sweep = JobSweep(moves=moves, dispatch=dispatch, queues=QUEUES, keep_jobs=timedelta(days=settings.job_keep_days))
    return Scheduler(
        rounds=[
            Round(name="reconciled", seconds=settings.reconcile_seconds, run=reconciler.run_pass),
            Round(name="relayed", seconds=settings.reconcile_seconds, run=relay.run_pass),
            Round(name="told", seconds=settings.reconcile_seconds, run=telling.run_pass),
            Round(name="messages sent", seconds=settings.reconcile_seconds, run=couriers.run_pass),
            Round(name="events removed", seconds=_OBJECT_SWEEP_SECONDS, run=telling_sweep.run_pass),
            *_trigger_rounds(adapters),
            Round(name="payload indexes", seconds=settings.reconcile_seconds, run=indexes.run_pass),
            Round(name="swept", seconds=_SWEEP_SECONDS, run=sweep.run_pass),
            Round(name="objects removed", seconds=_OBJECT_SWEEP_SECONDS, run=objects.run_pass),
            Round(name="vectors removed", seconds=_OBJECT_SWEEP_SECONDS, run=vectors.run_pass),
            Round(name="embeddings removed", seconds=_OBJECT_SWEEP_SECONDS, run=embeddings.run_pass),
        ]
    )


def _trigger_rounds(adapters: Adapters) -> list[Round]:
    """Return what counts events for triggers, fires those that are due, and notes how their runs ended."""
    from shoald.application.trigger_firing import TriggerFiring
    from shoald.application.trigger_following import EventCounting, FiringEnds
    from shoald.application.trigger_starts import TriggerStarts
    from shoald.application.trigger_sweep import TriggerSweep

    opens, seconds = adapters.open_unit_of_work, adapters.settings.reconcile_seconds
    firing = TriggerFiring(
        open_unit_of_work=opens,
        starts=TriggerStarts(accept=partial(_accept_run, adapters)),
        jobs=adapters.jobs,
        measure=partial(_measure, adapters),
    )
    sweep = TriggerSweep(open_unit_of_work=opens, keep=timedelta(days=adapters.settings.trigger_history_keep_days))
    return [
        Round(name="events counted", seconds=seconds, run=EventCounting(open_unit_of_work=opens).run_pass),
        Round(name="triggers fired", seconds=seconds, run=firing.run_pass),
        Round(name="firings ended", seconds=seconds, run=FiringEnds(open_unit_of_work=opens).run_pass),
        Round(name="firings removed", seconds=_OBJECT_SWEEP_SECONDS, run=sweep.run_pass),
    ]


def _accept_run(
    adapters: Adapters, uow: UnitOfWork, caller: Caller, cluster: str, changes: JsonObject
) -> tuple[Job, bool]:
    """Accept a run of a trigger; what reads definitions loads numerics, which a scheduler without triggers does not."""
    from shoald.application.executions import Executions

    executions = Executions(
        open_unit_of_work=adapters.open_unit_of_work,
        clock=adapters.clock,
        cursors=adapters.page_cursors,
        jobs=adapters.jobs,
    )
    return executions.accept(uow, caller, cluster, changes)


def _measure(adapters: Adapters, trigger: Trigger, schedule: ConditionalSchedule) -> Measurement:
    """Look at the condition of a trigger."""
    from shoald.application.trigger_measuring import TriggerMeasuring

    measuring = TriggerMeasuring(
        open_unit_of_work=adapters.open_unit_of_work, centroids=lambda run: _centroids(adapters, run)
    )
    return measuring.measure(trigger, schedule)


def _centroids(adapters: Adapters, run: ClusterRun) -> Mapping[str, Any]:
    """Return the vectors of a run's groups."""
    from shoald.application.artifacts import Artifacts

    artifacts = Artifacts(
        open_unit_of_work=adapters.open_unit_of_work,
        clock=adapters.clock,
        objects=adapters.objects,
        tables=adapters.run_tables,
        links=adapters.file_links,
        public_url=adapters.settings.public_url,
    )
    return artifacts.centroid_vectors(run)
