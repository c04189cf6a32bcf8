"""The repositories of a unit of work, one module per noun."""

from __future__ import annotations

from shoald.application.ports.repositories.api_keys import ApiKeyRepository
from shoald.application.ports.repositories.artifacts import ArtifactRepository
from shoald.application.ports.repositories.chunk_sets import ChunkSetRepository
from shoald.application.ports.repositories.cluster_runs import ClusterRunRepository
from shoald.application.ports.repositories.clusters import ClusterRepository
from shoald.application.ports.repositories.collections import CollectionRepository
from shoald.application.ports.repositories.documents import DocumentRepository
from shoald.application.ports.repositories.embeddings import EmbeddingRepository
from shoald.application.ports.repositories.enrichments import EnrichmentRepository
from shoald.application.ports.repositories.evaluations import EvaluationRepository
from shoald.application.ports.repositories.events import EventRepository
from shoald.application.ports.repositories.index_builds import IndexBuildRepository
from shoald.application.ports.repositories.indexes import IndexRepository
from shoald.application.ports.repositories.jobs import JobRepository
from shoald.application.ports.repositories.keyword_indexes import KeywordIndexRepository
from shoald.application.ports.repositories.label_audits import LabelAuditRepository
from shoald.application.ports.repositories.namespaces import NamespaceRepository
from shoald.application.ports.repositories.object_references import ObjectReferenceRepository
from shoald.application.ports.repositories.output_collections import OutputCollectionRepository
from shoald.application.ports.repositories.pipelines import PipelineRepository
from shoald.application.ports.repositories.projects import ProjectRepository
from shoald.application.ports.repositories.retrieval_runs import RetrievalRunRepository
from shoald.application.ports.repositories.search_targets import SearchTargetRepository
from shoald.application.ports.repositories.segment_sets import SegmentSetRepository
from shoald.application.ports.repositories.tasks import TaskRepository
from shoald.application.ports.repositories.taxonomies import TaxonomyRepository
from shoald.application.ports.repositories.triggers import TriggerRepository
from shoald.application.ports.repositories.webhooks import DeliveryRepository, WebhookRepository

__all__ = [
    "ApiKeyRepository",
    "ArtifactRepository",
    "ChunkSetRepository",
    "ClusterRepository",
    "ClusterRunRepository",
    "CollectionRepository",
    "DeliveryRepository",
    "DocumentRepository",
    "EmbeddingRepository",
    "EnrichmentRepository",
    "EvaluationRepository",
    "EventRepository",
    "IndexBuildRepository",
    "IndexRepository",
    "JobRepository",
    "KeywordIndexRepository",
    "LabelAuditRepository",
    "NamespaceRepository",
    "ObjectReferenceRepository",
    "OutputCollectionRepository",
    "PipelineRepository",
    "ProjectRepository",
    "RetrievalRunRepository",
    "SearchTargetRepository",
    "SegmentSetRepository",
    "TaskRepository",
    "TaxonomyRepository",
    "TriggerRepository",
    "WebhookRepository",
]
