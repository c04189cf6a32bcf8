"""Documents of collections over gRPC: stored by call and by stream, listed and read, as free JSON and typed."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from google.protobuf.struct_pb2 import Struct
from shoal.clusters.v1 import collection_document_pb2, collection_document_service_pb2_grpc
from shoal.clusters.v1 import collection_document_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.collection_documents import CollectionDocuments
from shoald.application.document_changing import DocumentChanges
from shoald.application.document_figures import DocumentFigures
from shoald.application.document_reading import Wanted, path_of
from shoald.application.ports.document_tables import DocumentTables
from shoald.domain.failures import FieldProblem, InvalidFields
from shoald.domain.records.aggregation import MOST_GROUPS
from shoald.transport.callers import caller_of
from shoald.transport.json_values import plain_object
from shoald.transport.mapping.clusters import collection_documents as mapping
from shoald.transport.mapping.clusters import document_changes as changes
from shoald.transport.mapping.clusters import document_figures as figures
from shoald.transport.mapping.clusters import document_pages as pages
from shoald.transport.mapping.clusters.lists import pagination


class CollectionDocumentServicer(collection_document_service_pb2_grpc.CollectionDocumentServiceServicer):
    """Hands requests to `CollectionDocuments`, `DocumentChanges` and `DocumentFigures`."""

    def __init__(
        self,
        access: Access,
        documents: CollectionDocuments,
        tables: DocumentTables,
        *,
        changes: DocumentChanges,
        figures: DocumentFigures,
    ) -> None:
        self._access = access
        self._documents = documents
        self._tables = tables
        self._changes = changes
        self._figures = figures

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
        caller = caller_of(self._access, context, target.namespace)
        return mapping.imported_message(self._documents.import_batches(caller, target, batches))

    def ListDocuments(
        self, request: pb.ListDocumentsRequest, context: grpc.ServicerContext
    ) -> pb.ListDocumentsResponse:
        """List those of a collection, or groups of them."""
        caller = caller_of(self._access, context)
        query, body = pages.document_query(request), request.body
        wanted = pages.wanted_of(body, in_query=request.return_vectors)
        if (field := pages.group_field_of(body)) is not None:
            groups = self._documents.group(caller, [request.collection_id], query, field, wanted)
            return pages.groups_message(groups, body.select)
        return pages.page_message(self._documents.list(caller, request.collection_id, query, wanted), body.select)

    def ListTypedDocuments(
        self, request: pb.ListTypedDocumentsRequest, context: grpc.ServicerContext
    ) -> pb.ListTypedDocumentsResponse:
        """List those of a collection, typed."""
        caller = caller_of(self._access, context)
        query = pages.document_query(pb.ListDocumentsRequest(body=request.query))
        if pages.group_field_of(request.query) is not None:
            raise InvalidFields.field("body", "query", "group_by", message="groups are listed by ListDocuments")
        page = self._documents.list(caller, request.collection_id, query, pages.wanted_of(request.query))
        return pb.ListTypedDocumentsResponse(documents=map(mapping.to_message, page.items), pagination=pagination(page))

    def GetDocument(self, request: pb.GetDocumentRequest, context: grpc.ServicerContext) -> Struct:
        """Get one."""
        caller, wanted = caller_of(self._access, context), pages.wanted_of_one(request)
        read = self._documents.get(caller, request.collection_id, request.document_id, wanted)
        return mapping.to_struct_message(read)

    def GetNamespaceDocument(self, request: pb.GetNamespaceDocumentRequest, context: grpc.ServicerContext) -> Struct:
        """Get one of a namespace."""
        caller, wanted = caller_of(self._access, context), Wanted(all=request.return_vectors)
        read = self._documents.get_in_namespace(caller, request.namespace_id, request.document_id, wanted)
        return mapping.to_struct_message(read)

    def GetTypedDocument(
        self, request: pb.GetTypedDocumentRequest, context: grpc.ServicerContext
    ) -> collection_document_pb2.CollectionDocument:
        """Get one, typed."""
        caller, wanted = caller_of(self._access, context), Wanted(all=request.return_vectors)
        return mapping.to_message(self._documents.get(caller, request.collection_id, request.document_id, wanted))

    def CountDocuments(
        self, request: pb.CountDocumentsRequest, context: grpc.ServicerContext
    ) -> pb.CountDocumentsResponse:
        """Count those of a collection."""
        collection_id, count = self._documents.count(caller_of(self._access, context), request.collection_id)
        return pb.CountDocumentsResponse(collection_id=collection_id, count=count)

    def CreateDocument(self, request: pb.CreateDocumentRequest, context: grpc.ServicerContext) -> Struct:
        """Store a new one."""
        caller, document = caller_of(self._access, context), plain_object(request.document)
        return mapping.to_struct_message(self._changes.create(caller, request.collection_id, document))

    def UpdateDocument(self, request: pb.UpdateDocumentRequest, context: grpc.ServicerContext) -> Struct:
        """Change one."""
        caller, fields = caller_of(self._access, context), plain_object(request.fields)
        read = self._changes.update(caller, request.collection_id, request.document_id, fields)
        return mapping.to_struct_message(read)

    def DeleteDocument(
        self, request: pb.DeleteDocumentRequest, context: grpc.ServicerContext
    ) -> pb.DeleteDocumentResponse:
        """Delete one."""
        self._changes.delete(caller_of(self._access, context), request.collection_id, request.document_id)
        return pb.DeleteDocumentResponse(message=f"Document {request.document_id} is deleted.", success=True)

    def BatchUpdateDocuments(
        self, request: pb.BatchUpdateDocumentsRequest, context: grpc.ServicerContext
    ) -> pb.BatchUpdateDocumentsResponse:
        """Change several, by id or by filter."""
        caller, updates = caller_of(self._access, context), changes.updates_of(request)
        if updates is not None:
            return changes.updated_message(self._changes.update_several(caller, request.collection_id, updates))
        filters, fields = plain_object(request.filters), plain_object(request.update_data)
        count = self._changes.update_matching(caller, request.collection_id, filters, fields)
        return pb.BatchUpdateDocumentsResponse(updated_count=count, message=f"{count} documents were updated.")

    def BulkUpdateDocuments(
        self, request: pb.BulkUpdateDocumentsRequest, context: grpc.ServicerContext
    ) -> pb.BulkUpdateDocumentsResponse:
        """Change all that meet a filter."""
        caller = caller_of(self._access, context)
        filters, fields = plain_object(request.filters), plain_object(request.update_data)
        count = self._changes.update_matching(caller, request.collection_id, filters, fields)
        return pb.BulkUpdateDocumentsResponse(updated_count=count, message=f"{count} documents were updated.")

    def BatchDeleteDocuments(
        self, request: pb.BatchDeleteDocumentsRequest, context: grpc.ServicerContext
    ) -> pb.BatchDeleteDocumentsResponse:
        """Delete several, by id or by filter."""
        caller, ids = caller_of(self._access, context), changes.ids_of(request)
        reason = request.reason if request.HasField("reason") else None
        if ids is not None:
            outcomes = self._changes.delete_several(caller, request.collection_id, ids, reason=reason)
            return changes.deleted_message(outcomes)
        filters = plain_object(request.filters)
        count = self._changes.delete_matching(caller, request.collection_id, filters, reason=reason)
        message = f"{count} documents were deleted."
        return pb.BatchDeleteDocumentsResponse(deleted_count=count, limits={"matched": count}, message=message)

    def AggregateDocuments(
        self, request: pb.AggregateDocumentsRequest, context: grpc.ServicerContext
    ) -> pb.AggregateDocumentsResponse:
        """Compute figures over groups."""
        caller, asked = caller_of(self._access, context), figures.aggregation_of(request)
        return figures.aggregated_message(self._figures.aggregate(caller, request.collection_id, asked))

    def DistinctDocumentValues(
        self, request: pb.DistinctDocumentValuesRequest, context: grpc.ServicerContext
    ) -> pb.DistinctDocumentValuesResponse:
        """List the values of a field."""
        caller, path = caller_of(self._access, context), path_of(request.field, "field")
        limit = request.limit if request.HasField("limit") else MOST_GROUPS
        filters = plain_object(request.filters)
        values = self._figures.distinct(caller, request.collection_id, path, filters, limit)
        return figures.distinct_message(request.field, values)
