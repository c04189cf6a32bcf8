"""What does jobs: the code of each job type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoald.domain.vocabulary import JobType
from shoald.wiring.adapters import Adapters

if TYPE_CHECKING:
    from shoald.application.cluster_pipeline import ClusterPipeline
    from shoald.application.ports.jobs import JobHandler
    from shoald.application.segmenting import SegmentsHandler


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
    handlers.add(JobType.CLUSTER_LABELS, lambda: _cluster_labels(adapters))
    handlers.add(JobType.ENRICHMENT, lambda: _enrichment(adapters))
    handlers.add(JobType.ENRICHMENT_UNDO, lambda: _enrichment_undo(adapters))
    handlers.add(JobType.TAXONOMY_ENRICHMENT, lambda: _classification(adapters))
    handlers.add(JobType.OUTPUT_LABELS, lambda: _output_labels(adapters))
    handlers.add(JobType.COLLECTION_EXPORT, lambda: _collection_export(adapters))
    handlers.add(JobType.RUN_HISTORY, lambda: _run_history(adapters))


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
    from shoald.application.group_membership import GroupMemberships
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
            memberships=GroupMemberships(
                open_unit_of_work=adapters.open_unit_of_work, objects=adapters.objects, tables=adapters.run_tables
            ),
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


def _run_history(adapters: Adapters) -> JobHandler:
    from shoald.application.history_work import HistoryHandler

    return HistoryHandler(
        open_unit_of_work=adapters.open_unit_of_work, objects=adapters.objects, tables=adapters.run_tables
    )


def _cluster_map(adapters: Adapters) -> JobHandler:
    from shoald.application.clustering import ClusterMapHandler

    return ClusterMapHandler(pipeline=lambda: _warmed_pipeline(adapters))


def _cluster_labels(adapters: Adapters) -> JobHandler:
    from shoald.application.former_runs import FormerRuns
    from shoald.application.run_labels import RunLabelsHandler
    from shoald.wiring.run_followers import run_followers

    return RunLabelsHandler(
        open_unit_of_work=adapters.open_unit_of_work,
        clock=adapters.clock,
        objects=adapters.objects,
        tables=adapters.run_tables,
        former_runs=FormerRuns(objects=adapters.objects, tables=adapters.run_tables),
        models=adapters.model_labels,
        followers=run_followers(adapters.objects, adapters.run_tables, adapters.jobs),
        jobs=adapters.jobs,
    )


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


def _classification(adapters: Adapters) -> JobHandler:
    from shoald.application.classification_work import ClassificationHandler

    return ClassificationHandler(open_unit_of_work=adapters.open_unit_of_work, clock=adapters.clock)


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
