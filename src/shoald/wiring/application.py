"""What a server can do: every use case, given its adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoald.wiring.adapters import Adapters
from shoald.wiring.jobs import build_job_handlers

if TYPE_CHECKING:
    from shoald.application.access import Access
    from shoald.application.cluster_removal import GoesWithCluster
    from shoald.application.collection_exports import CollectionExports
    from shoald.application.enriching import Enrichments
    from shoald.application.use_cases import UseCases
    from shoald.application.webhooks import Webhooks


def build_access(adapters: Adapters) -> Access:
    """Build what finds callers."""
    from shoald.application.access import Access
    from shoald.application.keys import KeyRing

    settings, opens = adapters.settings, adapters.open_as_system
    keys = KeyRing(open_unit_of_work=opens, clock=adapters.clock) if settings.require_keys else None
    limits = adapters.call_limits if settings.namespace_calls_per_second else None
    return Access(open_unit_of_work=opens, default_namespace=settings.default_namespace, keys=keys, limits=limits)


def build_application(adapters: Adapters) -> UseCases:  # noqa: PLR0915 - one line for each use case
    """Build what a server can do."""
    from shoald.application.analytics import Analytics
    from shoald.application.artifacts import Artifacts
    from shoald.application.bulk_ingesting import BulkIngesting
    from shoald.application.chunking import Chunking
    from shoald.application.clone_patching import ClonePatching
    from shoald.application.clusters import Clusters
    from shoald.application.collection_documents import CollectionDocuments
    from shoald.application.collections import Collections
    from shoald.application.document_changing import DocumentChanges
    from shoald.application.document_figures import DocumentFigures
    from shoald.application.documents import Documents
    from shoald.application.evaluating import Evaluating
    from shoald.application.executions import Executions
    from shoald.application.index_building import IndexBuilding
    from shoald.application.indexing import Indexes
    from shoald.application.joining import Joining
    from shoald.application.lineage import Lineage
    from shoald.application.namespace_removal import NamespaceRemoval
    from shoald.application.namespaces import Namespaces
    from shoald.application.pictures import Pictures
    from shoald.application.pipelines import PipelineChecks, Pipelines
    from shoald.application.preset_checks import PresetChecks
    from shoald.application.projects import Projects
    from shoald.application.retrieval_runs import RetrievalRuns
    from shoald.application.retrieving import Retrieving
    from shoald.application.run_maps import RunMaps
    from shoald.application.run_marks import RunMarks
    from shoald.application.segmenting import Segmenting
    from shoald.application.sweeping import Sweeps
    from shoald.application.tasks import Tasks
    from shoald.application.trigger_starts import TriggerStarts
    from shoald.application.triggers import Triggers
    from shoald.application.use_cases import UseCases

    build_job_handlers(adapters)
    settings, opens, clock, jobs = adapters.settings, adapters.open_unit_of_work, adapters.clock, adapters.jobs
    cursors = adapters.page_cursors
    access = build_access(adapters)
    retrieving = Retrieving(open_unit_of_work=opens, clock=clock, objects=adapters.objects, searches=adapters.searches)
    lineage = Lineage(open_unit_of_work=opens, clock=clock, tracing=jobs.tracing)
    documents = Documents(
        open_unit_of_work=opens, clock=clock, objects=adapters.objects, max_upload_bytes=settings.max_upload_bytes
    )
    presets = PresetChecks(
        find_embedding=adapters.sentence_embedding.find, check_patterns=adapters.searches.check_patterns
    )
    checks = PipelineChecks(
        open_unit_of_work=opens,
        loader=adapters.document_loader,
        embedding=adapters.sentence_embedding,
        vector_indexes=adapters.vector_indexes,
    )
    executions = Executions(open_unit_of_work=opens, clock=clock, cursors=cursors, jobs=jobs)
    clusters = Clusters(
        open_unit_of_work=opens,
        clock=clock,
        cursors=cursors,
        jobs=jobs,
        objects=adapters.objects,
        goes_along=_goes_with_clusters(),
    )
    return UseCases(
        access=access,
        jobs=jobs,
        projects=Projects(open_unit_of_work=opens, clock=clock, presets=presets),
        documents=documents,
        segmenting=Segmenting(open_unit_of_work=opens, objects=adapters.objects, jobs=jobs),
        chunking=Chunking(open_unit_of_work=opens, jobs=jobs, embedding=adapters.sentence_embedding),
        joining=Joining(open_unit_of_work=opens, jobs=jobs),
        clone_patching=ClonePatching(open_unit_of_work=opens, objects=adapters.objects, jobs=jobs),
        pictures=Pictures(open_unit_of_work=opens, objects=adapters.objects),
        lineage=lineage,
        indexes=Indexes(open_unit_of_work=opens, clock=clock),
        index_building=IndexBuilding(open_unit_of_work=opens, clock=clock, jobs=jobs),
        bulk_ingesting=BulkIngesting(documents=documents, open_unit_of_work=opens, jobs=jobs),
        pipelines=Pipelines(open_unit_of_work=opens, documents=documents, jobs=jobs, checks=checks),
        retrieving=retrieving,
        retrieval_runs=RetrievalRuns(open_unit_of_work=opens, retrieving=retrieving, lineage=lineage),
        evaluating=Evaluating(
            open_unit_of_work=opens, clock=clock, jobs=jobs, objects=adapters.objects, searches=adapters.searches
        ),
        namespaces=Namespaces(
            open_unit_of_work=opens,
            clock=clock,
            cursors=cursors,
            removal=NamespaceRemoval(open_unit_of_work=opens, clusters=clusters, jobs=jobs),
            on_change=access.forget_namespaces,
            default_namespace=settings.default_namespace,
        ),
        collections=Collections(open_unit_of_work=opens, clock=clock, cursors=cursors),
        collection_exports=_collection_exports(adapters),
        collection_documents=CollectionDocuments(
            open_unit_of_work=opens, clock=clock, cursors=cursors, query_seconds=settings.document_query_seconds
        ),
        document_changes=DocumentChanges(
            open_unit_of_work=opens, clock=clock, query_seconds=settings.document_query_seconds
        ),
        document_figures=DocumentFigures(open_unit_of_work=opens, query_seconds=settings.document_query_seconds),
        document_tables=adapters.document_tables,
        clusters=clusters,
        triggers=Triggers(
            open_unit_of_work=opens, clusters=clusters, starts=TriggerStarts(accept=executions.accept), jobs=jobs
        ),
        executions=executions,
        enrichments=_enrichments(adapters),
        run_marks=RunMarks(open_unit_of_work=opens, jobs=jobs),
        run_maps=RunMaps(open_unit_of_work=opens, objects=adapters.objects, tables=adapters.run_tables, jobs=jobs),
        analytics=Analytics(open_unit_of_work=opens, clock=clock),
        sweeps=Sweeps(open_unit_of_work=opens, jobs=jobs, executions=executions),
        webhooks=_build_webhooks(adapters),
        tasks=Tasks(open_unit_of_work=opens, open_as_system=adapters.open_as_system, jobs=jobs, cursors=cursors),
        artifacts=Artifacts(
            open_unit_of_work=opens,
            clock=clock,
            objects=adapters.objects,
            tables=adapters.run_tables,
            links=adapters.file_links,
            public_url=settings.public_url,
        ),
    )


def _collection_exports(adapters: Adapters) -> CollectionExports:
    from shoald.application.collection_exports import CollectionExports
    from shoald.application.file_links import FileAddresses

    lent = FileAddresses(objects=adapters.objects, links=adapters.file_links, public_url=adapters.settings.public_url)
    return CollectionExports(
        open_unit_of_work=adapters.open_unit_of_work, jobs=adapters.jobs, objects=adapters.objects, addresses=lent
    )


def _enrichments(adapters: Adapters) -> Enrichments:
    from shoald.application.enriching import Enrichments

    return Enrichments(open_unit_of_work=adapters.open_unit_of_work, clock=adapters.clock, jobs=adapters.jobs)


def _goes_with_clusters() -> list[GoesWithCluster]:
    """Return what belongs to a cluster, in the order in which it is removed."""
    from shoald.application.enriching import EnrichmentRemoval
    from shoald.application.output_collections import OutputRemoval

    return [EnrichmentRemoval(), OutputRemoval()]


def _build_webhooks(adapters: Adapters) -> Webhooks:
    from shoald.application.webhooks import Webhooks

    return Webhooks(
        open_unit_of_work=adapters.open_unit_of_work,
        clock=adapters.clock,
        cursors=adapters.page_cursors,
        channels=adapters.webhook_channels,
    )
