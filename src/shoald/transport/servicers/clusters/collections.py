"""Collections over gRPC."""

from __future__ import annotations

import grpc
from shoal.clusters.v1 import collection_pb2, collection_service_pb2_grpc
from shoal.clusters.v1 import collection_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.collections import Collections
from shoald.transport.callers import caller_of
from shoald.transport.mapping.clusters import collections as mapping
from shoald.transport.mapping.clusters.lists import list_query, pagination


class CollectionServicer(collection_service_pb2_grpc.CollectionServiceServicer):
    """Hands requests to `Collections`."""

    def __init__(self, access: Access, collections: Collections) -> None:
        self._access = access
        self._collections = collections

    def CreateCollection(
        self, request: pb.CreateCollectionRequest, context: grpc.ServicerContext
    ) -> collection_pb2.Collection:
        """Make one."""
        new = mapping.new_collection_of(request)
        return mapping.to_message(self._collections.create(caller_of(self._access, context), new))

    def ListCollections(
        self, request: pb.ListCollectionsRequest, context: grpc.ServicerContext
    ) -> pb.ListCollectionsResponse:
        """List those of the namespace."""
        page = self._collections.list(caller_of(self._access, context), list_query(request))
        return pb.ListCollectionsResponse(
            results=map(mapping.to_message, page.items), pagination=pagination(page), total_count=page.total or 0
        )

    def GetCollection(
        self, request: pb.GetCollectionRequest, context: grpc.ServicerContext
    ) -> collection_pb2.Collection:
        """Get one."""
        caller = caller_of(self._access, context)
        return mapping.to_message(self._collections.get(caller, request.collection_identifier))

    def DeleteCollection(
        self, request: pb.DeleteCollectionRequest, context: grpc.ServicerContext
    ) -> pb.DeleteCollectionResponse:
        """Delete one."""
        gone = self._collections.delete(caller_of(self._access, context), request.collection_identifier)
        return pb.DeleteCollectionResponse(message=f"Collection {gone.collection_id} is deleted.", success=True)
