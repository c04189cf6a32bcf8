"""Everything that a server can do, one field for each use case: what entry points build and servicers take."""

from __future__ import annotations

from dataclasses import dataclass

from shoald.application.access import Access
from shoald.application.analytics import Analytics
from shoald.application.artifacts import Artifacts
from shoald.application.bulk_ingesting import BulkIngesting
from shoald.application.chunking import Chunking
from shoald.application.classifying import Classifying
from shoald.application.clone_patching import ClonePatching
from shoald.application.clusters import Clusters
from shoald.application.collection_documents import CollectionDocuments
from shoald.application.collection_exports import CollectionExports
from shoald.application.collections import Collections
from shoald.application.document_changing import DocumentChanges
from shoald.application.document_figures import DocumentFigures
from shoald.application.documents import Documents
from shoald.application.enriching import Enrichments
from shoald.application.evaluating import Evaluating
from shoald.application.executions import Executions
from shoald.application.group_histories import GroupHistories
from shoald.application.index_building import IndexBuilding
from shoald.application.indexing import Indexes
from shoald.application.jobs import Jobs
from shoald.application.joining import Joining
from shoald.application.label_forecasts import LabelForecasts
from shoald.application.lineage import Lineage
from shoald.application.namespaces import Namespaces
from shoald.application.pictures import Pictures
from shoald.application.pipelines import Pipelines
from shoald.application.ports.document_tables import DocumentTables
from shoald.application.projects import Projects
from shoald.application.retrieval_runs import RetrievalRuns
from shoald.application.retrieving import Retrieving
from shoald.application.run_labels import RunLabels
from shoald.application.run_maps import RunMaps
from shoald.application.run_marks import RunMarks
from shoald.application.segmenting import Segmenting
from shoald.application.sweeping import Sweeps
from shoald.application.tasks import Tasks
from shoald.application.taxonomies import Taxonomies
from shoald.application.taxonomy_making import TaxonomyMaking
from shoald.application.triggers import Triggers
from shoald.application.webhooks import Webhooks


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """The use cases of both APIs."""

    access: Access
    jobs: Jobs
    projects: Projects
    documents: Documents
    segmenting: Segmenting
    chunking: Chunking
    joining: Joining
    clone_patching: ClonePatching
    pictures: Pictures
    lineage: Lineage
    indexes: Indexes
    index_building: IndexBuilding
    pipelines: Pipelines
    bulk_ingesting: BulkIngesting
    retrieving: Retrieving
    retrieval_runs: RetrievalRuns
    evaluating: Evaluating
    namespaces: Namespaces
    collections: Collections
    collection_exports: CollectionExports
    collection_documents: CollectionDocuments
    document_changes: DocumentChanges
    document_figures: DocumentFigures
    document_tables: DocumentTables
    clusters: Clusters
    executions: Executions
    enrichments: Enrichments
    run_marks: RunMarks
    run_labels: RunLabels
    label_forecasts: LabelForecasts
    run_maps: RunMaps
    analytics: Analytics
    tasks: Tasks
    taxonomies: Taxonomies
    taxonomy_making: TaxonomyMaking
    classifying: Classifying
    triggers: Triggers
    artifacts: Artifacts
    group_histories: GroupHistories
    sweeps: Sweeps
    webhooks: Webhooks
