"""Collections over gRPC."""

from __future__ import annotations

import grpc
from shoal.clusters.v1 import collection_pb2, collection_service_pb2_grpc
from shoal.clusters.v1 import collection_service_pb2 as pb

from shoald.application.access import Access, Caller
from shoald.application.collection_exports import CollectionExports
from shoald.application.collections import Collections
from shoald.domain.records.collection import Collection
from shoald.transport.callers import caller_of
from shoald.transport.calls import seconds_left
from shoald.transport.mapping.clusters import collection_exports as exports
from shoald.transport.mapping.clusters import collections as mapping
from shoald.transport.mapping.clusters.lists import list_query, pagination

_EXPORT_SECONDS = 600.0


class CollectionServicer(collection_service_pb2_grpc.CollectionServiceServicer):
    """Hands requests to `Collections` and `CollectionExports`."""

    def __init__(self, access: Access, collections: Collections, exports: CollectionExports) -> None:
        self._access = access
        self._collections = collections
        self._exports = exports

    def CreateCollection(
        self, request: pb.CreateCollectionRequest, context: grpc.ServicerContext
    ) -> collection_pb2.Collection:
        """Make one."""
        caller, new = caller_of(self._access, context), mapping.new_collection_of(request)
        return self._message(caller, self._collections.create(caller, new))

    def ListCollections(
        self, request: pb.ListCollectionsRequest, context: grpc.ServicerContext
    ) -> pb.ListCollectionsResponse:
        """List those of the namespace."""
        caller, query = caller_of(self._access, context), list_query(request)
        page = self._collections.list(caller, query)
        indexes = self._collections.payload_indexes(caller)
        taxonomies = self._collections.taxonomy_applications([one.collection_id for one in page.items])
        documents, total = self._collections.count_documents(caller, query), page.total or 0
        return pb.ListCollectionsResponse(
            results=[mapping.to_message(one, indexes, taxonomies.get(one.collection_id, ())) for one in page.items],
            pagination=pagination(page),
            total_count=total,
            stats=pb.CollectionListStats(
                total_documents=documents, avg_documents_per_collection=documents / total if total else 0
            ),
        )

    def GetCollection(
        self, request: pb.GetCollectionRequest, context: grpc.ServicerContext
    ) -> collection_pb2.Collection:
        """Get one."""
        caller = caller_of(self._access, context)
        return self._message(caller, self._collections.get(caller, request.collection_identifier))

    def DeleteCollection(
        self, request: pb.DeleteCollectionRequest, context: grpc.ServicerContext
    ) -> pb.DeleteCollectionResponse:
        """Delete one."""
        gone = self._collections.delete(caller_of(self._access, context), request.collection_identifier)
        return pb.DeleteCollectionResponse(message=f"Collection {gone.collection_id} is deleted.", success=True)

    def UpdateCollection(
        self, request: pb.UpdateCollectionRequest, context: grpc.ServicerContext
    ) -> collection_pb2.Collection:
        """Change what is said of one."""
        caller, changes = caller_of(self._access, context), mapping.changes_of(request)
        return self._message(caller, self._collections.update(caller, request.collection_identifier, changes))

    def CloneCollection(
        self, request: pb.CloneCollectionRequest, context: grpc.ServicerContext
    ) -> pb.CloneCollectionResponse:
        """Make one like another."""
        caller, clone = caller_of(self._access, context), mapping.clone_of(request)
        made, source = self._collections.clone(caller, request.collection_identifier, clone)
        return pb.CloneCollectionResponse(
            collection=self._message(caller, made), source_collection_id=source.collection_id
        )

    def ListCollectionFeatures(
        self, request: pb.ListCollectionFeaturesRequest, context: grpc.ServicerContext
    ) -> pb.ListCollectionFeaturesResponse:
        """Say which vectors one has."""
        caller = caller_of(self._access, context)
        return mapping.features_message(self._collections.get(caller, request.collection_identifier))

    def ExportCollection(
        self, request: pb.ExportCollectionRequest, context: grpc.ServicerContext
    ) -> pb.ExportCollectionResponse:
        """Write one into files."""
        caller, asked = caller_of(self._access, context), exports.question_of(request)
        seconds = seconds_left(context, at_most=_EXPORT_SECONDS)
        return exports.to_message(self._exports.export(caller, request.collection_identifier, asked, seconds=seconds))

    def _message(self, caller: Caller, collection: Collection) -> collection_pb2.Collection:
        taxonomies = self._collections.taxonomy_applications([collection.collection_id])
        indexes = self._collections.payload_indexes(caller)
        return mapping.to_message(collection, indexes, taxonomies.get(collection.collection_id, ()))
