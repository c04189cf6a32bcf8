"""Retrieval over gRPC: one page, or all of them as a stream."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from shoal.rag.v1 import retrieval_service_pb2 as pb
from shoal.rag.v1 import retrieval_service_pb2_grpc

from shoald.application.access import Access
from shoald.application.retrieving import Retrieving
from shoald.transport.callers import brief_patience_of, caller_of, patience_of
from shoald.transport.mapping.rag import retrieval as mapping


class RetrievalServicer(retrieval_service_pb2_grpc.RetrievalServiceServicer):
    """Hands requests to `Retrieving`."""

    def __init__(self, access: Access, retrieving: Retrieving) -> None:
        self._access = access
        self._retrieving = retrieving

    def Retrieve(self, request: pb.RetrieveRequest, context: grpc.ServicerContext) -> pb.RetrieveResponse:
        """Search for one page."""
        caller = caller_of(self._access, context)
        page = self._retrieving.retrieve(
            caller, request.project_id, mapping.given_by(request), brief_patience_of(context)
        )
        return mapping.to_message(page)

    def RetrieveStream(
        self, request: pb.RetrieveStreamRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.RetrieveResponse]:
        """Search once and send page after page."""
        caller = caller_of(self._access, context)
        wanted = request.retrieve
        pages = self._retrieving.pages(caller, wanted.project_id, mapping.given_by(wanted), patience_of(context))
        return map(mapping.to_message, pages)
