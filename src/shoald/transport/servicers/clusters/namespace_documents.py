"""Documents of a namespace over gRPC, in whichever of its collections they lie."""

from __future__ import annotations

import grpc
from google.protobuf.struct_pb2 import Struct
from shoal.clusters.v1 import collection_document_service_pb2, namespace_document_service_pb2_grpc
from shoal.clusters.v1 import namespace_document_service_pb2 as pb

from shoald.application.access import Access, Caller
from shoald.application.collection_documents import CollectionDocuments
from shoald.application.document_changing import DocumentChanges
from shoald.domain.failures import Failure
from shoald.transport.callers import caller_of
from shoald.transport.json_values import plain_object
from shoald.transport.mapping.clusters import document_pages as pages
from shoald.transport.mapping.clusters.collection_documents import to_struct_message

Page = collection_document_service_pb2.ListDocumentsResponse


class NamespaceDocumentServicer(namespace_document_service_pb2_grpc.NamespaceDocumentServiceServicer):
    """Hands requests to `CollectionDocuments` and `DocumentChanges`."""

    def __init__(self, access: Access, documents: CollectionDocuments, changes: DocumentChanges) -> None:
        self._access = access
        self._documents = documents
        self._changes = changes

    def ListNamespaceDocuments(self, request: pb.ListNamespaceDocumentsRequest, context: grpc.ServicerContext) -> Page:
        """List those of all collections, or groups of them."""
        return self._page(caller_of(self._access, context), request)

    def BatchListDocuments(
        self, request: pb.BatchListDocumentsRequest, context: grpc.ServicerContext
    ) -> pb.BatchListDocumentsResponse:
        """Answer several lists."""
        caller = caller_of(self._access, context)
        return pb.BatchListDocumentsResponse(results=[self._result(caller, query) for query in request.queries])

    def BatchGetDocuments(
        self, request: pb.BatchGetDocumentsRequest, context: grpc.ServicerContext
    ) -> pb.BatchGetDocumentsResponse:
        """Get several by id."""
        found, missing = self._documents.get_many(caller_of(self._access, context), request.document_ids)
        return pb.BatchGetDocumentsResponse(documents=map(to_struct_message, found), not_found=missing)

    def FindDocument(self, request: pb.FindDocumentRequest, context: grpc.ServicerContext) -> Struct:
        """Get one."""
        caller, wanted = caller_of(self._access, context), pages.wanted_of_one(request)
        return to_struct_message(self._documents.get_in_namespace(caller, None, request.document_id, wanted))

    def UpdateFoundDocument(self, request: pb.UpdateFoundDocumentRequest, context: grpc.ServicerContext) -> Struct:
        """Change one."""
        caller, fields = caller_of(self._access, context), plain_object(request.fields)
        return to_struct_message(self._changes.update_in_namespace(caller, request.document_id, fields))

    def _result(self, caller: Caller, query: pb.BatchListQuery) -> pb.BatchListResult:
        try:
            page = self._page(caller, pb.ListNamespaceDocumentsRequest(body=query.request))
        except Failure as failure:
            return pb.BatchListResult(key=query.key, error=failure.message)
        return pb.BatchListResult(key=query.key, response=page)

    def _page(self, caller: Caller, request: pb.ListNamespaceDocumentsRequest) -> Page:
        body, query = request.body, pages.document_query(request)
        names = [*body.collection_ids, *body.collections]
        names += [body.collection_id] if body.HasField("collection_id") else []
        wanted, field = pages.wanted_of(body), pages.group_field_of(body)
        if field is not None:
            return pages.groups_message(self._documents.group(caller, names, query, field, wanted), body.select)
        read = self._documents.list_in_namespace(caller, names, query, wanted)
        return pages.page_message(read.page, body.select, read.unknown)
