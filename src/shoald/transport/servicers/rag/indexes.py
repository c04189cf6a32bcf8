"""Indexes and their builds over gRPC."""

from __future__ import annotations

import grpc
from shoal.rag.v1 import index_pb2, index_service_pb2_grpc
from shoal.rag.v1 import index_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.index_building import IndexBuilding
from shoald.application.indexing import Indexes
from shoald.transport.callers import caller_of, patience_of
from shoald.transport.mapping.rag import indexes as mapping
from shoald.transport.mapping.rag.fields import announce_next, list_range


class IndexServicer(index_service_pb2_grpc.IndexServiceServicer):
    """Hands requests to `Indexes` and `IndexBuilding`."""

    def __init__(self, access: Access, indexes: Indexes, index_building: IndexBuilding) -> None:
        self._access = access
        self._indexes = indexes
        self._index_building = index_building

    def CreateIndex(self, request: pb.CreateIndexRequest, context: grpc.ServicerContext) -> index_pb2.Index:
        """Create one."""
        caller = caller_of(self._access, context)
        return mapping.to_message(self._indexes.create(caller, request.project_id, mapping.new_index_of(request)))

    def ListIndexes(self, request: pb.ListIndexesRequest, context: grpc.ServicerContext) -> pb.ListIndexesResponse:
        """List those of a project."""
        listed = self._indexes.list(caller_of(self._access, context), request.project_id, list_range(request))
        announce_next(listed)
        return pb.ListIndexesResponse(indexes=map(mapping.to_message, listed.rows))

    def GetIndex(self, request: pb.GetIndexRequest, context: grpc.ServicerContext) -> index_pb2.Index:
        """Get one."""
        return mapping.to_message(self._indexes.get(caller_of(self._access, context), request.index_id))

    def CreateIndexBuild(
        self, request: pb.CreateIndexBuildRequest, context: grpc.ServicerContext
    ) -> pb.CreateIndexBuildResponse:
        """Build one."""
        caller = caller_of(self._access, context)
        new = mapping.new_build_of(request)
        return mapping.accepted_message(
            self._index_building.create(caller, request.index_id, new, patience_of(context))
        )

    def ListIndexBuilds(
        self, request: pb.ListIndexBuildsRequest, context: grpc.ServicerContext
    ) -> pb.ListIndexBuildsResponse:
        """List those of an index."""
        listed = self._index_building.list(caller_of(self._access, context), request.index_id, list_range(request))
        announce_next(listed)
        return pb.ListIndexBuildsResponse(builds=map(mapping.build_message, listed.rows))

    def GetIndexBuild(self, request: pb.GetIndexBuildRequest, context: grpc.ServicerContext) -> index_pb2.IndexBuild:
        """Get a build."""
        return mapping.build_message(self._index_building.get(caller_of(self._access, context), request.build_id))
