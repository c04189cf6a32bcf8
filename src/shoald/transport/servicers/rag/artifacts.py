"""The feed of artifacts over gRPC, and their deletion and restoration."""

from __future__ import annotations

import grpc
from shoal.rag.v1 import artifact_pb2, artifact_service_pb2_grpc
from shoal.rag.v1 import artifact_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.lineage import DEFAULT_LIMIT, Lineage
from shoald.domain.cursors import offset_of
from shoald.transport.callers import caller_of
from shoald.transport.mapping.rag import artifacts as mapping
from shoald.transport.mapping.rag.fields import announce_next, list_range


class ArtifactServicer(artifact_service_pb2_grpc.ArtifactServiceServicer):
    """Hands requests to `Lineage`."""

    def __init__(self, access: Access, lineage: Lineage) -> None:
        self._access = access
        self._lineage = lineage

    def ListArtifacts(
        self, request: pb.ListArtifactsRequest, context: grpc.ServicerContext
    ) -> pb.ListArtifactsResponse:
        """List a part of a feed."""
        caller = caller_of(self._access, context)
        limit = request.limit if request.HasField("limit") else DEFAULT_LIMIT
        page = self._lineage.page(caller, request.project_id, limit=limit, offset=offset_of(request.cursor))
        return mapping.page_message(page)

    def DeleteArtifact(
        self, request: pb.DeleteArtifactRequest, context: grpc.ServicerContext
    ) -> artifact_pb2.ArtifactDeletion:
        """Delete one."""
        reason = request.reason if request.HasField("reason") else None
        caller = caller_of(self._access, context)
        return mapping.deletion_message(self._lineage.delete(caller, request.artifact_id, reason=reason))

    def RestoreArtifact(
        self, request: pb.RestoreArtifactRequest, context: grpc.ServicerContext
    ) -> artifact_pb2.ArtifactRestoration:
        """Restore one."""
        caller = caller_of(self._access, context)
        return mapping.restoration_message(self._lineage.restore(caller, request.artifact_id))

    def ListArtifactEvents(
        self, request: pb.ListArtifactEventsRequest, context: grpc.ServicerContext
    ) -> pb.ListArtifactEventsResponse:
        """List what happened to one."""
        listed = self._lineage.events(caller_of(self._access, context), request.artifact_id, list_range(request))
        announce_next(listed)
        return pb.ListArtifactEventsResponse(events=map(mapping.event_message, listed.rows))
