// Clients of every service over any transport, for browsers too: `clients(createGrpcWebTransport({ baseUrl }))`.
import { createClient } from "@connectrpc/connect";
import { AnalyticsService as clustersAnalytics } from "./shoal/clusters/v1/analytics_service_pb.js";
import { ArtifactService as clustersArtifact } from "./shoal/clusters/v1/artifact_service_pb.js";
import { ClusterService as clustersCluster } from "./shoal/clusters/v1/cluster_service_pb.js";
import { ClusterTriggerService as clustersClusterTrigger } from "./shoal/clusters/v1/cluster_trigger_service_pb.js";
import { CollectionDocumentService as clustersCollectionDocument } from "./shoal/clusters/v1/collection_document_service_pb.js";
import { CollectionService as clustersCollection } from "./shoal/clusters/v1/collection_service_pb.js";
import { EnrichmentService as clustersEnrichment } from "./shoal/clusters/v1/enrichment_service_pb.js";
import { ExecutionService as clustersExecution } from "./shoal/clusters/v1/execution_service_pb.js";
import { HistoryService as clustersHistory } from "./shoal/clusters/v1/history_service_pb.js";
import { NamespaceDocumentService as clustersNamespaceDocument } from "./shoal/clusters/v1/namespace_document_service_pb.js";
import { NamespaceService as clustersNamespace } from "./shoal/clusters/v1/namespace_service_pb.js";
import { SweepService as clustersSweep } from "./shoal/clusters/v1/sweep_service_pb.js";
import { TaskService as clustersTask } from "./shoal/clusters/v1/task_service_pb.js";
import { TaxonomyService as clustersTaxonomy } from "./shoal/clusters/v1/taxonomy_service_pb.js";
import { TriggerService as clustersTrigger } from "./shoal/clusters/v1/trigger_service_pb.js";
import { WebhookService as clustersWebhook } from "./shoal/clusters/v1/webhook_service_pb.js";
import { ArtifactService as ragArtifact } from "./shoal/rag/v1/artifact_service_pb.js";
import { ChunkSetService as ragChunkSet } from "./shoal/rag/v1/chunk_set_service_pb.js";
import { DocumentService as ragDocument } from "./shoal/rag/v1/document_service_pb.js";
import { EvaluationService as ragEvaluation } from "./shoal/rag/v1/evaluation_service_pb.js";
import { IndexService as ragIndex } from "./shoal/rag/v1/index_service_pb.js";
import { JobService as ragJob } from "./shoal/rag/v1/job_service_pb.js";
import { PipelineService as ragPipeline } from "./shoal/rag/v1/pipeline_service_pb.js";
import { ProjectService as ragProject } from "./shoal/rag/v1/project_service_pb.js";
import { RetrievalRunService as ragRetrievalRun } from "./shoal/rag/v1/retrieval_run_service_pb.js";
import { RetrievalService as ragRetrieval } from "./shoal/rag/v1/retrieval_service_pb.js";
import { SegmentSetService as ragSegmentSet } from "./shoal/rag/v1/segment_set_service_pb.js";
import { ServiceInfoService as ragServiceInfo } from "./shoal/rag/v1/service_info_service_pb.js";

// Makes a client of every service over one transport.
export function clients(transport) {
  return {
    clustersAnalytics: createClient(clustersAnalytics, transport),
    clustersArtifact: createClient(clustersArtifact, transport),
    clustersCluster: createClient(clustersCluster, transport),
    clustersClusterTrigger: createClient(clustersClusterTrigger, transport),
    clustersCollectionDocument: createClient(clustersCollectionDocument, transport),
    clustersCollection: createClient(clustersCollection, transport),
    clustersEnrichment: createClient(clustersEnrichment, transport),
    clustersExecution: createClient(clustersExecution, transport),
    clustersHistory: createClient(clustersHistory, transport),
    clustersNamespaceDocument: createClient(clustersNamespaceDocument, transport),
    clustersNamespace: createClient(clustersNamespace, transport),
    clustersSweep: createClient(clustersSweep, transport),
    clustersTask: createClient(clustersTask, transport),
    clustersTaxonomy: createClient(clustersTaxonomy, transport),
    clustersTrigger: createClient(clustersTrigger, transport),
    clustersWebhook: createClient(clustersWebhook, transport),
    ragArtifact: createClient(ragArtifact, transport),
    ragChunkSet: createClient(ragChunkSet, transport),
    ragDocument: createClient(ragDocument, transport),
    ragEvaluation: createClient(ragEvaluation, transport),
    ragIndex: createClient(ragIndex, transport),
    ragJob: createClient(ragJob, transport),
    ragPipeline: createClient(ragPipeline, transport),
    ragProject: createClient(ragProject, transport),
    ragRetrievalRun: createClient(ragRetrievalRun, transport),
    ragRetrieval: createClient(ragRetrieval, transport),
    ragSegmentSet: createClient(ragSegmentSet, transport),
    ragServiceInfo: createClient(ragServiceInfo, transport),
  };
}
