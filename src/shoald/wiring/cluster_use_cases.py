"""The use cases of the clusters API, given their adapters: collections, clusters with their runs, and what follows."""

from __future__ import annotations

from typing import TypedDict

from shoald.application.access import Access
from shoald.application.analytics import Analytics
from shoald.application.artifacts import Artifacts
from shoald.application.clusters import Clusters
from shoald.application.collection_documents import CollectionDocuments
from shoald.application.collection_exports import CollectionExports
from shoald.application.collections import Collections
from shoald.application.document_changing import DocumentChanges
from shoald.application.document_figures import DocumentFigures
from shoald.application.enriching import EnrichmentRemoval, Enrichments
from shoald.application.executions import Executions
from shoald.application.file_links import FileAddresses
from shoald.application.former_runs import FormerRuns
from shoald.application.group_histories import GroupHistories
from shoald.application.kept_nodes import KeptNodes
from shoald.application.label_forecasts import LabelForecasts
from shoald.application.namespace_removal import NamespaceRemoval
from shoald.application.namespaces import Namespaces
from shoald.application.output_collections import OutputRemoval
from shoald.application.ports.document_tables import DocumentTables
from shoald.application.run_labels import RunLabels
from shoald.application.run_maps import RunMaps
from shoald.application.run_marks import RunMarks
from shoald.application.sweeping import Sweeps
from shoald.application.tasks import Tasks
from shoald.application.taxonomy_applications import attach_taxonomies
from shoald.application.trigger_starts import TriggerStarts
from shoald.application.triggers import Triggers
from shoald.application.webhooks import Webhooks
from shoald.wiring.adapters import Adapters
from shoald.wiring.label_budgets import label_budgets
from shoald.wiring.labels import build_model_labels


class Stored(TypedDict):
    """What keeps documents."""

    collections: Collections
    collection_exports: CollectionExports
    collection_documents: CollectionDocuments
    document_changes: DocumentChanges
    document_figures: DocumentFigures
    document_tables: DocumentTables


class Runs(TypedDict):
    """What groups documents, and reads the groups."""

    clusters: Clusters
    executions: Executions
    enrichments: Enrichments
    run_marks: RunMarks
    run_labels: RunLabels
    label_forecasts: LabelForecasts
    run_maps: RunMaps
    sweeps: Sweeps
    analytics: Analytics
    artifacts: Artifacts
    group_histories: GroupHistories


class Platform(TypedDict):
    """What surrounds runs."""

    namespaces: Namespaces
    triggers: Triggers
    webhooks: Webhooks
    tasks: Tasks


def build_stored(adapters: Adapters, nodes: KeptNodes) -> Stored:
    """Build what keeps documents."""
    opens, clock, cursors = adapters.open_unit_of_work, adapters.clock, adapters.page_cursors
    seconds = adapters.settings.document_query_seconds
    return Stored(
        collections=Collections(open_unit_of_work=opens, clock=clock, cursors=cursors, attach=attach_taxonomies),
        collection_exports=_collection_exports(adapters),
        collection_documents=CollectionDocuments(
            open_unit_of_work=opens, clock=clock, cursors=cursors, nodes=nodes, query_seconds=seconds
        ),
        document_changes=DocumentChanges(open_unit_of_work=opens, clock=clock, nodes=nodes, query_seconds=seconds),
        document_figures=DocumentFigures(open_unit_of_work=opens, query_seconds=seconds),
        document_tables=adapters.document_tables,
    )


def _collection_exports(adapters: Adapters) -> CollectionExports:
    lent = FileAddresses(objects=adapters.objects, links=adapters.file_links, public_url=adapters.settings.public_url)
    return CollectionExports(
        open_unit_of_work=adapters.open_unit_of_work, jobs=adapters.jobs, objects=adapters.objects, addresses=lent
    )


def build_runs(adapters: Adapters) -> Runs:
    """Build what groups documents."""
    opens, clock, jobs = adapters.open_unit_of_work, adapters.clock, adapters.jobs
    executions = build_executions(adapters)
    return Runs(
        clusters=_clusters(adapters),
        executions=executions,
        enrichments=Enrichments(open_unit_of_work=opens, clock=clock, jobs=jobs),
        run_marks=RunMarks(open_unit_of_work=opens, jobs=jobs),
        run_labels=RunLabels(open_unit_of_work=opens, jobs=jobs),
        label_forecasts=_label_forecasts(adapters),
        run_maps=RunMaps(open_unit_of_work=opens, objects=adapters.objects, tables=adapters.run_tables, jobs=jobs),
        sweeps=Sweeps(open_unit_of_work=opens, jobs=jobs, executions=executions),
        analytics=Analytics(open_unit_of_work=opens, clock=clock),
        artifacts=build_artifacts(adapters),
        group_histories=_group_histories(adapters),
    )


def _label_forecasts(adapters: Adapters) -> LabelForecasts:
    opens = adapters.open_unit_of_work
    return LabelForecasts(
        open_unit_of_work=opens,
        former_runs=FormerRuns(objects=adapters.objects, tables=adapters.run_tables),
        models=build_model_labels(adapters, are_asked=False),
        budgets=label_budgets(adapters.settings, opens, adapters.clock),
    )


def _clusters(adapters: Adapters) -> Clusters:
    return Clusters(
        open_unit_of_work=adapters.open_unit_of_work,
        clock=adapters.clock,
        cursors=adapters.page_cursors,
        jobs=adapters.jobs,
        objects=adapters.objects,
        goes_along=[EnrichmentRemoval(), OutputRemoval()],  # in the order in which it is removed
    )


def build_executions(adapters: Adapters) -> Executions:
    """Build what accepts runs and reads them."""
    return Executions(
        open_unit_of_work=adapters.open_unit_of_work,
        clock=adapters.clock,
        cursors=adapters.page_cursors,
        jobs=adapters.jobs,
    )


def build_artifacts(adapters: Adapters) -> Artifacts:
    """Build what reads the files of runs."""
    return Artifacts(
        open_unit_of_work=adapters.open_unit_of_work,
        clock=adapters.clock,
        objects=adapters.objects,
        tables=adapters.run_tables,
        links=adapters.file_links,
        public_url=adapters.settings.public_url,
    )


def _group_histories(adapters: Adapters) -> GroupHistories:
    lent = FileAddresses(objects=adapters.objects, links=adapters.file_links, public_url=adapters.settings.public_url)
    return GroupHistories(
        open_unit_of_work=adapters.open_unit_of_work,
        clock=adapters.clock,
        objects=adapters.objects,
        tables=adapters.run_tables,
        jobs=adapters.jobs,
        cursors=adapters.page_cursors,
        addresses=lent,
    )


def build_platform(adapters: Adapters, access: Access, runs: Runs) -> Platform:
    """Build what surrounds runs."""
    opens, cursors, jobs = adapters.open_unit_of_work, adapters.page_cursors, adapters.jobs
    clusters, starts = runs["clusters"], TriggerStarts(accept=runs["executions"].accept)
    return Platform(
        namespaces=Namespaces(
            open_unit_of_work=opens,
            clock=adapters.clock,
            cursors=cursors,
            removal=NamespaceRemoval(open_unit_of_work=opens, clusters=clusters, jobs=jobs),
            on_change=access.forget_namespaces,
            default_namespace=adapters.settings.default_namespace,
        ),
        triggers=Triggers(open_unit_of_work=opens, clusters=clusters, starts=starts, jobs=jobs),
        webhooks=Webhooks(
            open_unit_of_work=opens, clock=adapters.clock, cursors=cursors, channels=adapters.webhook_channels
        ),
        tasks=Tasks(open_unit_of_work=opens, open_as_system=adapters.open_as_system, jobs=jobs, cursors=cursors),
    )
