"""The one list of servicers: how each is added to a server, and what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from shoal.clusters.v1 import (
    analytics_service_pb2,
    analytics_service_pb2_grpc,
    artifact_service_pb2,
    artifact_service_pb2_grpc,
    cluster_service_pb2,
    cluster_service_pb2_grpc,
    cluster_trigger_service_pb2,
    cluster_trigger_service_pb2_grpc,
    collection_document_service_pb2,
    collection_document_service_pb2_grpc,
    collection_service_pb2,
    collection_service_pb2_grpc,
    enrichment_service_pb2,
    enrichment_service_pb2_grpc,
    execution_service_pb2,
    execution_service_pb2_grpc,
    history_service_pb2,
    history_service_pb2_grpc,
    namespace_document_service_pb2,
    namespace_document_service_pb2_grpc,
    namespace_service_pb2,
    namespace_service_pb2_grpc,
    sweep_service_pb2,
    sweep_service_pb2_grpc,
    task_service_pb2,
    task_service_pb2_grpc,
    taxonomy_service_pb2,
    taxonomy_service_pb2_grpc,
    trigger_service_pb2,
    trigger_service_pb2_grpc,
    webhook_service_pb2,
    webhook_service_pb2_grpc,
)
from shoal.rag.v1 import artifact_service_pb2 as rag_artifact_service_pb2
from shoal.rag.v1 import artifact_service_pb2_grpc as rag_artifact_service_pb2_grpc
from shoal.rag.v1 import (
    chunk_set_service_pb2,
    chunk_set_service_pb2_grpc,
    document_service_pb2,
    document_service_pb2_grpc,
    evaluation_service_pb2,
    evaluation_service_pb2_grpc,
    index_service_pb2,
    index_service_pb2_grpc,
    job_service_pb2,
    job_service_pb2_grpc,
    pipeline_service_pb2,
    pipeline_service_pb2_grpc,
    project_service_pb2,
    project_service_pb2_grpc,
    retrieval_run_service_pb2,
    retrieval_run_service_pb2_grpc,
    retrieval_service_pb2,
    retrieval_service_pb2_grpc,
    segment_set_service_pb2,
    segment_set_service_pb2_grpc,
    service_info_service_pb2,
    service_info_service_pb2_grpc,
)

from shoald.transport.servicers.clusters.analytics import AnalyticsServicer
from shoald.transport.servicers.clusters.artifacts import ArtifactServicer
from shoald.transport.servicers.clusters.cluster_triggers import ClusterTriggerServicer
from shoald.transport.servicers.clusters.clusters import ClusterServicer
from shoald.transport.servicers.clusters.collection_documents import CollectionDocumentServicer
from shoald.transport.servicers.clusters.collections import CollectionServicer
from shoald.transport.servicers.clusters.enrichments import EnrichmentServicer
from shoald.transport.servicers.clusters.executions import ExecutionServicer
from shoald.transport.servicers.clusters.histories import HistoryServicer
from shoald.transport.servicers.clusters.namespace_documents import NamespaceDocumentServicer
from shoald.transport.servicers.clusters.namespaces import NamespaceServicer
from shoald.transport.servicers.clusters.sweeps import SweepServicer
from shoald.transport.servicers.clusters.tasks import TaskServicer
from shoald.transport.servicers.clusters.taxonomies import TaxonomyServicer
from shoald.transport.servicers.clusters.triggers import TriggerServicer
from shoald.transport.servicers.clusters.webhooks import WebhookServicer
from shoald.transport.servicers.rag.artifacts import ArtifactServicer as RagArtifactServicer
from shoald.transport.servicers.rag.chunk_sets import ChunkSetServicer
from shoald.transport.servicers.rag.documents import DocumentServicer
from shoald.transport.servicers.rag.evaluations import EvaluationServicer
from shoald.transport.servicers.rag.indexes import IndexServicer
from shoald.transport.servicers.rag.jobs import JobServicer
from shoald.transport.servicers.rag.pipelines import PipelineServicer
from shoald.transport.servicers.rag.projects import ProjectServicer
from shoald.transport.servicers.rag.retrieval import RetrievalServicer
from shoald.transport.servicers.rag.retrieval_runs import RetrievalRunServicer
from shoald.transport.servicers.rag.segment_sets import SegmentSetServicer
from shoald.transport.servicers.rag.service_info import ServiceInfoServicer

if TYPE_CHECKING:
    from shoald.application.use_cases import UseCases


@dataclass(frozen=True, slots=True)
class Registration:
    """One service: its descriptor, the generated function that adds a servicer, and how the servicer is made."""

    service: ServiceDescriptor
    add: Callable[[Any, grpc.Server], None]
    make: Callable[[UseCases], Any]


REGISTRATIONS: tuple[Registration, ...] = (
    Registration(
        service_info_service_pb2.DESCRIPTOR.services_by_name["ServiceInfoService"],
        service_info_service_pb2_grpc.add_ServiceInfoServiceServicer_to_server,
        lambda _: ServiceInfoServicer(),
    ),
    Registration(
        project_service_pb2.DESCRIPTOR.services_by_name["ProjectService"],
        project_service_pb2_grpc.add_ProjectServiceServicer_to_server,
        lambda use_cases: ProjectServicer(use_cases.access, use_cases.projects),
    ),
    Registration(
        document_service_pb2.DESCRIPTOR.services_by_name["DocumentService"],
        document_service_pb2_grpc.add_DocumentServiceServicer_to_server,
        lambda use_cases: DocumentServicer(use_cases.access, use_cases.documents),
    ),
    Registration(
        segment_set_service_pb2.DESCRIPTOR.services_by_name["SegmentSetService"],
        segment_set_service_pb2_grpc.add_SegmentSetServiceServicer_to_server,
        lambda use_cases: SegmentSetServicer(
            use_cases.access,
            use_cases.segmenting,
            use_cases.joining,
            use_cases.clone_patching,
            use_cases.pictures,
        ),
    ),
    Registration(
        chunk_set_service_pb2.DESCRIPTOR.services_by_name["ChunkSetService"],
        chunk_set_service_pb2_grpc.add_ChunkSetServiceServicer_to_server,
        lambda use_cases: ChunkSetServicer(use_cases.access, use_cases.chunking, use_cases.clone_patching),
    ),
    Registration(
        index_service_pb2.DESCRIPTOR.services_by_name["IndexService"],
        index_service_pb2_grpc.add_IndexServiceServicer_to_server,
        lambda use_cases: IndexServicer(use_cases.access, use_cases.indexes, use_cases.index_building),
    ),
    Registration(
        pipeline_service_pb2.DESCRIPTOR.services_by_name["PipelineService"],
        pipeline_service_pb2_grpc.add_PipelineServiceServicer_to_server,
        lambda use_cases: PipelineServicer(use_cases.access, use_cases.pipelines, use_cases.bulk_ingesting),
    ),
    Registration(
        retrieval_service_pb2.DESCRIPTOR.services_by_name["RetrievalService"],
        retrieval_service_pb2_grpc.add_RetrievalServiceServicer_to_server,
        lambda use_cases: RetrievalServicer(use_cases.access, use_cases.retrieving),
    ),
    Registration(
        retrieval_run_service_pb2.DESCRIPTOR.services_by_name["RetrievalRunService"],
        retrieval_run_service_pb2_grpc.add_RetrievalRunServiceServicer_to_server,
        lambda use_cases: RetrievalRunServicer(use_cases.access, use_cases.retrieval_runs),
    ),
    Registration(
        rag_artifact_service_pb2.DESCRIPTOR.services_by_name["ArtifactService"],
        rag_artifact_service_pb2_grpc.add_ArtifactServiceServicer_to_server,
        lambda use_cases: RagArtifactServicer(use_cases.access, use_cases.lineage),
    ),
    Registration(
        evaluation_service_pb2.DESCRIPTOR.services_by_name["EvaluationService"],
        evaluation_service_pb2_grpc.add_EvaluationServiceServicer_to_server,
        lambda use_cases: EvaluationServicer(use_cases.access, use_cases.evaluating),
    ),
    Registration(
        job_service_pb2.DESCRIPTOR.services_by_name["JobService"],
        job_service_pb2_grpc.add_JobServiceServicer_to_server,
        lambda use_cases: JobServicer(use_cases.access, use_cases.jobs, use_cases.projects),
    ),
    Registration(
        namespace_service_pb2.DESCRIPTOR.services_by_name["NamespaceService"],
        namespace_service_pb2_grpc.add_NamespaceServiceServicer_to_server,
        lambda use_cases: NamespaceServicer(use_cases.namespaces),
    ),
    Registration(
        collection_service_pb2.DESCRIPTOR.services_by_name["CollectionService"],
        collection_service_pb2_grpc.add_CollectionServiceServicer_to_server,
        lambda use_cases: CollectionServicer(use_cases.access, use_cases.collections, use_cases.collection_exports),
    ),
    Registration(
        collection_document_service_pb2.DESCRIPTOR.services_by_name["CollectionDocumentService"],
        collection_document_service_pb2_grpc.add_CollectionDocumentServiceServicer_to_server,
        lambda use_cases: CollectionDocumentServicer(
            use_cases.access,
            use_cases.collection_documents,
            use_cases.document_tables,
            changes=use_cases.document_changes,
            figures=use_cases.document_figures,
        ),
    ),
    Registration(
        namespace_document_service_pb2.DESCRIPTOR.services_by_name["NamespaceDocumentService"],
        namespace_document_service_pb2_grpc.add_NamespaceDocumentServiceServicer_to_server,
        lambda use_cases: NamespaceDocumentServicer(
            use_cases.access, use_cases.collection_documents, use_cases.document_changes
        ),
    ),
    Registration(
        cluster_service_pb2.DESCRIPTOR.services_by_name["ClusterService"],
        cluster_service_pb2_grpc.add_ClusterServiceServicer_to_server,
        lambda use_cases: ClusterServicer(use_cases.access, use_cases.clusters, use_cases.executions),
    ),
    Registration(
        execution_service_pb2.DESCRIPTOR.services_by_name["ExecutionService"],
        execution_service_pb2_grpc.add_ExecutionServiceServicer_to_server,
        lambda use_cases: ExecutionServicer(
            use_cases.access,
            use_cases.executions,
            use_cases.artifacts,
            use_cases.run_marks,
            use_cases.run_labels,
            use_cases.label_forecasts,
        ),
    ),
    Registration(
        analytics_service_pb2.DESCRIPTOR.services_by_name["AnalyticsService"],
        analytics_service_pb2_grpc.add_AnalyticsServiceServicer_to_server,
        lambda use_cases: AnalyticsServicer(use_cases.access, use_cases.analytics),
    ),
    Registration(
        enrichment_service_pb2.DESCRIPTOR.services_by_name["EnrichmentService"],
        enrichment_service_pb2_grpc.add_EnrichmentServiceServicer_to_server,
        lambda use_cases: EnrichmentServicer(use_cases.access, use_cases.enrichments),
    ),
    Registration(
        taxonomy_service_pb2.DESCRIPTOR.services_by_name["TaxonomyService"],
        taxonomy_service_pb2_grpc.add_TaxonomyServiceServicer_to_server,
        lambda use_cases: TaxonomyServicer(
            use_cases.access, use_cases.taxonomies, use_cases.taxonomy_making, use_cases.classifying
        ),
    ),
    Registration(
        sweep_service_pb2.DESCRIPTOR.services_by_name["SweepService"],
        sweep_service_pb2_grpc.add_SweepServiceServicer_to_server,
        lambda use_cases: SweepServicer(use_cases.access, use_cases.sweeps),
    ),
    Registration(
        cluster_trigger_service_pb2.DESCRIPTOR.services_by_name["ClusterTriggerService"],
        cluster_trigger_service_pb2_grpc.add_ClusterTriggerServiceServicer_to_server,
        lambda use_cases: ClusterTriggerServicer(use_cases.access, use_cases.triggers),
    ),
    Registration(
        trigger_service_pb2.DESCRIPTOR.services_by_name["TriggerService"],
        trigger_service_pb2_grpc.add_TriggerServiceServicer_to_server,
        lambda use_cases: TriggerServicer(use_cases.access, use_cases.triggers),
    ),
    Registration(
        task_service_pb2.DESCRIPTOR.services_by_name["TaskService"],
        task_service_pb2_grpc.add_TaskServiceServicer_to_server,
        lambda use_cases: TaskServicer(use_cases.access, use_cases.tasks),
    ),
    Registration(
        artifact_service_pb2.DESCRIPTOR.services_by_name["ArtifactService"],
        artifact_service_pb2_grpc.add_ArtifactServiceServicer_to_server,
        lambda use_cases: ArtifactServicer(use_cases.access, use_cases.artifacts, use_cases.run_maps),
    ),
    Registration(
        history_service_pb2.DESCRIPTOR.services_by_name["HistoryService"],
        history_service_pb2_grpc.add_HistoryServiceServicer_to_server,
        lambda use_cases: HistoryServicer(use_cases.access, use_cases.artifacts, use_cases.group_histories),
    ),
    Registration(
        webhook_service_pb2.DESCRIPTOR.services_by_name["WebhookService"],
        webhook_service_pb2_grpc.add_WebhookServiceServicer_to_server,
        lambda use_cases: WebhookServicer(use_cases.access, use_cases.webhooks),
    ),
)


def add_servicers(use_cases: UseCases) -> Callable[[grpc.Server], Iterable[str]]:
    """Return what adds every servicer to a server and says the names of their services."""
    made = [(registration, registration.make(use_cases)) for registration in REGISTRATIONS]

    def add(server: grpc.Server) -> list[str]:
        for registration, servicer in made:
            registration.add(servicer, server)
        return [registration.service.full_name for registration, _ in made]

    return add
