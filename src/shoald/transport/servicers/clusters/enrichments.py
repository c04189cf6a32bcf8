"""Enrichments over gRPC."""

from __future__ import annotations

import grpc
from shoal.clusters.v1 import enrichment_pb2, enrichment_service_pb2_grpc
from shoal.clusters.v1 import enrichment_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.enriching import Enrichments
from shoald.transport.callers import caller_of, patience_of
from shoald.transport.mapping.clusters import enrichments as mapping


class EnrichmentServicer(enrichment_service_pb2_grpc.EnrichmentServiceServicer):
    """Hands requests to `Enrichments`."""

    def __init__(self, access: Access, enrichments: Enrichments) -> None:
        self._access = access
        self._enrichments = enrichments

    def ApplyEnrichments(
        self, request: pb.ApplyEnrichmentsRequest, context: grpc.ServicerContext
    ) -> pb.ApplyEnrichmentsResponse:
        """Write those of several clusters, and wait."""
        caller = caller_of(self._access, context)
        asked = mapping.apply_request_of(request)
        found = self._enrichments.finish(caller, list(request.clustering_ids), asked, patience_of(context))
        return mapping.applied_message(found, parallelism=request.parallelism)

    def StartEnrichment(
        self, request: pb.StartEnrichmentRequest, context: grpc.ServicerContext
    ) -> enrichment_pb2.Enrichment:
        """Begin one."""
        caller = caller_of(self._access, context)
        asked = mapping.request_of(request.body)
        return mapping.to_message(self._enrichments.start(caller, request.cluster_id, asked))

    def GetEnrichment(
        self, request: pb.GetEnrichmentRequest, context: grpc.ServicerContext
    ) -> enrichment_pb2.Enrichment:
        """Get one."""
        caller = caller_of(self._access, context)
        return mapping.to_message(self._enrichments.get(caller, request.cluster_id, request.enrichment_id))

    def UndoEnrichment(
        self, request: pb.UndoEnrichmentRequest, context: grpc.ServicerContext
    ) -> enrichment_pb2.Enrichment:
        """Begin to take one back."""
        caller = caller_of(self._access, context)
        return mapping.to_message(self._enrichments.undo(caller, request.cluster_id, request.enrichment_id))
