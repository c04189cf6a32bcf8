"""Documents of collections over gRPC: stored by call and by stream, listed and read, as free JSON and typed."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from google.protobuf.struct_pb2 import Struct
from shoal.clusters.v1 import collection_document_pb2, collection_document_service_pb2_grpc
from shoal.clusters.v1 import collection_document_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.collection_documents import CollectionDocuments
from shoald.application.ports.document_tables import DocumentTables
from shoald.domain.failures import FieldProblem, InvalidFields
from shoald.transport.callers import caller_of
from shoald.transport.mapping.clusters import collection_documents as mapping
from shoald.transport.mapping.clusters.lists import list_query, pagination


class CollectionDocumentServicer(collection_document_service_pb2_grpc.CollectionDocumentServiceServicer):
    """Hands requests to `CollectionDocuments`."""

    def __init__(self, access: Access, documents: CollectionDocuments, tables: DocumentTables) -> None:
        self._access = access
        self._documents = documents
        self._tables = tables

    def UpsertDocuments(
        self, request: pb.UpsertDocumentsRequest, context: grpc.ServicerContext
    ) -> pb.UpsertDocumentsResponse:
        """Store documents of one call."""
        answer = self._documents.upsert(caller_of(self._access, context), mapping.upsert_of(request))
        return mapping.upserted_message(answer)

    def ImportDocuments(
        self, request_iterator: Iterable[pb.ImportDocumentsRequest], context: grpc.ServicerContext
    ) -> pb.ImportDocumentsResponse:
        """Store documents of a stream of Arrow record batches."""
        requests = iter(request_iterator)
        first = next(requests, pb.ImportDocumentsRequest())
        if first.WhichOneof("part") != "info":
            raise InvalidFields([FieldProblem(("body", "info"), "missing", "Field required in the first message")])
        batches = self._tables.from_stream(mapping.arrow_pieces(requests))
        target = mapping.import_of(first.info)
        return mapping.imported_message(
            self._documents.import_batches(caller_of(self._access, context), target, batches)
        )

    def ListDocuments(
        self, request: pb.ListDocumentsRequest, context: grpc.ServicerContext
    ) -> pb.ListDocumentsResponse:
        """List those of a collection."""
        caller = caller_of(self._access, context)
        wanted = mapping.wanted_vectors_of(request.body, in_query=request.return_vectors)
        page = self._documents.list(caller, request.collection_id, list_query(request), wanted)
        return mapping.page_message(page, request.body.select)

    def ListTypedDocuments(
        self, request: pb.ListTypedDocumentsRequest, context: grpc.ServicerContext
    ) -> pb.ListTypedDocumentsResponse:
        """List those of a collection, typed."""
        caller = caller_of(self._access, context)
        wanted = mapping.wanted_vectors_of(request.query)
        query = list_query(pb.ListDocumentsRequest(body=request.query))
        page = self._documents.list(caller, request.collection_id, query, wanted)
        return pb.ListTypedDocumentsResponse(documents=map(mapping.to_message, page.items), pagination=pagination(page))

    def GetDocument(self, request: pb.GetDocumentRequest, context: grpc.ServicerContext) -> Struct:
        """Get one."""
        caller = caller_of(self._access, context)
        read = self._documents.get(
            caller, request.collection_id, request.document_id, with_vectors=request.return_vectors
        )
        return mapping.to_struct_message(read)

    def GetNamespaceDocument(self, request: pb.GetNamespaceDocumentRequest, context: grpc.ServicerContext) -> Struct:
        """Get one of a namespace."""
        caller = caller_of(self._access, context)
        read = self._documents.get_in_namespace(
            caller, request.namespace_id, request.document_id, with_vectors=request.return_vectors
        )
        return mapping.to_struct_message(read)

    def GetTypedDocument(
        self, request: pb.GetTypedDocumentRequest, context: grpc.ServicerContext
    ) -> collection_document_pb2.CollectionDocument:
        """Get one, typed."""
        caller = caller_of(self._access, context)
        read = self._documents.get(
            caller, request.collection_id, request.document_id, with_vectors=request.return_vectors
        )
        return mapping.to_message(read)
