import type { Client, Transport } from "@connectrpc/connect";
import type { GrpcTransportOptions } from "@connectrpc/connect-node";
import type { CollectionDocumentService as clustersCollectionDocument } from "./shoal/clusters/v1/collection_document_service_pb.js";
import type { CollectionService as clustersCollection } from "./shoal/clusters/v1/collection_service_pb.js";
import type { NamespaceService as clustersNamespace } from "./shoal/clusters/v1/namespace_service_pb.js";
import type { ChunkSetService as ragChunkSet } from "./shoal/rag/v1/chunk_set_service_pb.js";
import type { DocumentService as ragDocument } from "./shoal/rag/v1/document_service_pb.js";
import type { IndexService as ragIndex } from "./shoal/rag/v1/index_service_pb.js";
import type { JobService as ragJob } from "./shoal/rag/v1/job_service_pb.js";
import type { ProjectService as ragProject } from "./shoal/rag/v1/project_service_pb.js";
import type { RetrievalService as ragRetrieval } from "./shoal/rag/v1/retrieval_service_pb.js";
import type { SegmentSetService as ragSegmentSet } from "./shoal/rag/v1/segment_set_service_pb.js";

/** One client for every service. */
export interface Shoal {
  clustersCollectionDocument: Client<typeof clustersCollectionDocument>;
  clustersCollection: Client<typeof clustersCollection>;
  clustersNamespace: Client<typeof clustersNamespace>;
  ragChunkSet: Client<typeof ragChunkSet>;
  ragDocument: Client<typeof ragDocument>;
  ragIndex: Client<typeof ragIndex>;
  ragJob: Client<typeof ragJob>;
  ragProject: Client<typeof ragProject>;
  ragRetrieval: Client<typeof ragRetrieval>;
  ragSegmentSet: Client<typeof ragSegmentSet>;
}

/** Makes a client of every service over one transport. */
export declare function clients(transport: Transport): Shoal;
/** Makes a client of every service at one address. */
export declare function connect(baseUrl: string, options?: Omit<GrpcTransportOptions, "baseUrl">): Shoal;
