import type { Client, Transport } from "@connectrpc/connect";
import type { AnalyticsService as clustersAnalytics } from "./shoal/clusters/v1/analytics_service_pb.js";
import type { ArtifactService as clustersArtifact } from "./shoal/clusters/v1/artifact_service_pb.js";
import type { ClusterService as clustersCluster } from "./shoal/clusters/v1/cluster_service_pb.js";
import type { ClusterTriggerService as clustersClusterTrigger } from "./shoal/clusters/v1/cluster_trigger_service_pb.js";
import type { CollectionDocumentService as clustersCollectionDocument } from "./shoal/clusters/v1/collection_document_service_pb.js";
import type { CollectionService as clustersCollection } from "./shoal/clusters/v1/collection_service_pb.js";
import type { EnrichmentService as clustersEnrichment } from "./shoal/clusters/v1/enrichment_service_pb.js";
import type { ExecutionService as clustersExecution } from "./shoal/clusters/v1/execution_service_pb.js";
import type { HistoryService as clustersHistory } from "./shoal/clusters/v1/history_service_pb.js";
import type { NamespaceDocumentService as clustersNamespaceDocument } from "./shoal/clusters/v1/namespace_document_service_pb.js";
import type { NamespaceService as clustersNamespace } from "./shoal/clusters/v1/namespace_service_pb.js";
import type { SweepService as clustersSweep } from "./shoal/clusters/v1/sweep_service_pb.js";
import type { TaskService as clustersTask } from "./shoal/clusters/v1/task_service_pb.js";
import type { TaxonomyService as clustersTaxonomy } from "./shoal/clusters/v1/taxonomy_service_pb.js";
import type { TriggerService as clustersTrigger } from "./shoal/clusters/v1/trigger_service_pb.js";
import type { WebhookService as clustersWebhook } from "./shoal/clusters/v1/webhook_service_pb.js";
import type { ArtifactService as ragArtifact } from "./shoal/rag/v1/artifact_service_pb.js";
import type { ChunkSetService as ragChunkSet } from "./shoal/rag/v1/chunk_set_service_pb.js";
import type { DocumentService as ragDocument } from "./shoal/rag/v1/document_service_pb.js";
import type { EvaluationService as ragEvaluation } from "./shoal/rag/v1/evaluation_service_pb.js";
import type { IndexService as ragIndex } from "./shoal/rag/v1/index_service_pb.js";
import type { JobService as ragJob } from "./shoal/rag/v1/job_service_pb.js";
import type { PipelineService as ragPipeline } from "./shoal/rag/v1/pipeline_service_pb.js";
import type { ProjectService as ragProject } from "./shoal/rag/v1/project_service_pb.js";
import type { RetrievalRunService as ragRetrievalRun } from "./shoal/rag/v1/retrieval_run_service_pb.js";
import type { RetrievalService as ragRetrieval } from "./shoal/rag/v1/retrieval_service_pb.js";
import type { SegmentSetService as ragSegmentSet } from "./shoal/rag/v1/segment_set_service_pb.js";
import type { ServiceInfoService as ragServiceInfo } from "./shoal/rag/v1/service_info_service_pb.js";

/** One client for every service. */
export interface Shoal {
  clustersAnalytics: Client<typeof clustersAnalytics>;
  clustersArtifact: Client<typeof clustersArtifact>;
  clustersCluster: Client<typeof clustersCluster>;
  clustersClusterTrigger: Client<typeof clustersClusterTrigger>;
  clustersCollectionDocument: Client<typeof clustersCollectionDocument>;
  clustersCollection: Client<typeof clustersCollection>;
  clustersEnrichment: Client<typeof clustersEnrichment>;
  clustersExecution: Client<typeof clustersExecution>;
  clustersHistory: Client<typeof clustersHistory>;
  clustersNamespaceDocument: Client<typeof clustersNamespaceDocument>;
  clustersNamespace: Client<typeof clustersNamespace>;
  clustersSweep: Client<typeof clustersSweep>;
  clustersTask: Client<typeof clustersTask>;
  clustersTaxonomy: Client<typeof clustersTaxonomy>;
  clustersTrigger: Client<typeof clustersTrigger>;
  clustersWebhook: Client<typeof clustersWebhook>;
  ragArtifact: Client<typeof ragArtifact>;
  ragChunkSet: Client<typeof ragChunkSet>;
  ragDocument: Client<typeof ragDocument>;
  ragEvaluation: Client<typeof ragEvaluation>;
  ragIndex: Client<typeof ragIndex>;
  ragJob: Client<typeof ragJob>;
  ragPipeline: Client<typeof ragPipeline>;
  ragProject: Client<typeof ragProject>;
  ragRetrievalRun: Client<typeof ragRetrievalRun>;
  ragRetrieval: Client<typeof ragRetrieval>;
  ragSegmentSet: Client<typeof ragSegmentSet>;
  ragServiceInfo: Client<typeof ragServiceInfo>;
}

/** Makes a client of every service over one transport. */
export declare function clients(transport: Transport): Shoal;
