"""Chunk sets over gRPC: made, listed, and read as streamed JSON or as columns."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from google.api.httpbody_pb2 import HttpBody
from shoal.rag.v1 import chunk_set_pb2, chunk_set_service_pb2_grpc, item_pb2
from shoal.rag.v1 import chunk_set_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.chunking import Chunking
from shoald.application.clone_patching import ClonePatching
from shoald.domain.records.chunk_set import ChunkSet
from shoald.transport.callers import caller_of, patience_of
from shoald.transport.mapping.rag import chunk_sets as mapping
from shoald.transport.mapping.rag.fields import announce_next, list_range
from shoald.transport.mapping.rag.items import clone_patch_of, columns, with_items


class ChunkSetServicer(chunk_set_service_pb2_grpc.ChunkSetServiceServicer):
    """Hands requests to `Chunking` and `ClonePatching`."""

    def __init__(self, access: Access, chunking: Chunking, clone_patching: ClonePatching) -> None:
        self._access = access
        self._chunking = chunking
        self._clone_patching = clone_patching

    def ChunkFromSegment(
        self, request: pb.ChunkFromSegmentRequest, context: grpc.ServicerContext
    ) -> Iterator[HttpBody]:
        """Cut a segment set and write the chunk set as JSON."""
        return self._json(self._create(request, context))

    def CreateChunkSet(
        self, request: pb.CreateChunkSetRequest, context: grpc.ServicerContext
    ) -> chunk_set_pb2.ChunkSet:
        """Cut a segment set."""
        return mapping.to_message(self._create(request, context))

    def ClonePatchChunkItem(
        self, request: pb.ClonePatchChunkItemRequest, context: grpc.ServicerContext
    ) -> Iterator[HttpBody]:
        """Derive one and write it as JSON."""
        return self._json(self._clone(request, context))

    def CloneChunkSet(self, request: pb.CloneChunkSetRequest, context: grpc.ServicerContext) -> chunk_set_pb2.ChunkSet:
        """Derive one."""
        return mapping.to_message(self._clone(request, context))

    def ListChunkSets(
        self, request: pb.ListChunkSetsRequest, context: grpc.ServicerContext
    ) -> pb.ListChunkSetsResponse:
        """List those of a project."""
        listed = self._chunking.list(caller_of(self._access, context), request.project_id, list_range(request))
        announce_next(listed)
        return pb.ListChunkSetsResponse(chunk_sets=map(mapping.to_message, listed.rows))

    def GetChunkSetWithItems(
        self, request: pb.GetChunkSetWithItemsRequest, context: grpc.ServicerContext
    ) -> Iterator[HttpBody]:
        """Write one as JSON."""
        return self._json(self._chunking.get(caller_of(self._access, context), request.chunk_set_id))

    def GetChunkSet(self, request: pb.GetChunkSetRequest, context: grpc.ServicerContext) -> chunk_set_pb2.ChunkSet:
        """Get one."""
        chunk_set = self._chunking.get(caller_of(self._access, context), request.chunk_set_id)
        return mapping.to_message(self._chunking.as_seen(chunk_set))

    def ReadChunkItems(
        self, request: pb.ReadChunkItemsRequest, context: grpc.ServicerContext
    ) -> Iterator[item_pb2.ItemColumns]:
        """Read the items of one."""
        chunk_set = self._chunking.get(caller_of(self._access, context), request.chunk_set_id)
        return columns(self._chunking.items(chunk_set, start=request.start_position))

    def _create(
        self, request: pb.ChunkFromSegmentRequest | pb.CreateChunkSetRequest, context: grpc.ServicerContext
    ) -> ChunkSet:
        caller = caller_of(self._access, context)
        return self._chunking.create(caller, request.segment_set_id, mapping.cutting_of(request), patience_of(context))

    def _clone(
        self, request: pb.ClonePatchChunkItemRequest | pb.CloneChunkSetRequest, context: grpc.ServicerContext
    ) -> ChunkSet:
        caller, change = caller_of(self._access, context), clone_patch_of(request)
        return self._clone_patching.chunk_set(caller, request.chunk_set_id, change, patience_of(context))

    def _json(self, chunk_set: ChunkSet) -> Iterator[HttpBody]:
        shown = mapping.to_message(self._chunking.as_seen(chunk_set))
        return with_items("chunk_set", shown, self._chunking.items_as_json(chunk_set))
