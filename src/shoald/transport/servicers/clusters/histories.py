"""Groups over time over gRPC."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from google.api.httpbody_pb2 import HttpBody
from shoal.clusters.v1 import artifact_pb2, history_pb2, history_service_pb2_grpc
from shoal.clusters.v1 import history_service_pb2 as pb

from shoald.application.access import Access, Caller
from shoald.application.artifacts import Artifacts
from shoald.application.group_histories import DRIFT, HISTORY, Answered, GroupHistories
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.vocabulary import ColumnFormat
from shoald.transport.callers import caller_of
from shoald.transport.calls import seconds_left
from shoald.transport.mapping.clusters import histories as mapping
from shoald.transport.mapping.clusters.artifacts import export_message

_ARROW_BYTES = 1024 * 1024
_SECONDS = 300.0
_PAGE = 100


class HistoryServicer(history_service_pb2_grpc.HistoryServiceServicer):
    """Hands requests to `GroupHistories`. Each call has its answer before it sends anything."""

    def __init__(self, access: Access, artifacts: Artifacts, histories: GroupHistories) -> None:
        self._access = access
        self._artifacts = artifacts
        self._histories = histories

    def DownloadGroupHistory(
        self, request: pb.DownloadGroupHistoryRequest, context: grpc.ServicerContext
    ) -> Iterator[HttpBody]:
        """Write the rows as JSON."""
        answered = self._history(request, context)
        return mapping.history_json(answered, self._histories.rows(answered))

    def StreamGroupHistory(
        self, request: pb.StreamGroupHistoryRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.StreamGroupHistoryResponse]:
        """Stream the rows as Arrow record batches, or as lists."""
        answered = self._history(request, context)
        yield pb.StreamGroupHistoryResponse(about=mapping.history_about(answered))
        if request.format == ColumnFormat.LISTS:
            yield from map(mapping.history_lists, self._histories.rows(answered))
            return
        for arrow, rows in self._histories.arrow(answered, max_bytes=_ARROW_BYTES):
            yield pb.StreamGroupHistoryResponse(arrow=arrow, rows=rows)

    def ExportGroupHistory(
        self, request: pb.ExportGroupHistoryRequest, context: grpc.ServicerContext
    ) -> artifact_pb2.ExportLink:
        """Answer with the address of a file."""
        return export_message(self._histories.export(self._history(request, context), HISTORY))

    def GetGroupDrift(self, request: pb.GetGroupDriftRequest, context: grpc.ServicerContext) -> history_pb2.GroupDrift:
        """Compare with an earlier run."""
        answered = self._drift(request, context)
        return mapping.drift_message(answered, self._histories.rows(answered))

    def ExportGroupDrift(
        self, request: pb.ExportGroupDriftRequest, context: grpc.ServicerContext
    ) -> artifact_pb2.ExportLink:
        """Answer with the address of a file."""
        return export_message(self._histories.export(self._drift(request, context), DRIFT))

    def ListNewDocuments(
        self, request: pb.ListNewDocumentsRequest, context: grpc.ServicerContext
    ) -> history_pb2.NewDocuments:
        """List what is new."""
        caller, run = self._run(request, context)
        page = self._histories.news(
            caller,
            run,
            mapping.news_question(request),
            limit=request.limit or _PAGE,
            cursor=request.cursor or None,
            seconds=seconds_left(context, at_most=_SECONDS),
        )
        return mapping.news_message(page)

    def _history(
        self,
        request: pb.DownloadGroupHistoryRequest | pb.StreamGroupHistoryRequest | pb.ExportGroupHistoryRequest,
        context: grpc.ServicerContext,
    ) -> Answered:
        caller, run = self._run(request, context)
        asked = mapping.history_question(request)
        return self._histories.history(caller, run, asked, seconds=seconds_left(context, at_most=_SECONDS))

    def _drift(
        self, request: pb.GetGroupDriftRequest | pb.ExportGroupDriftRequest, context: grpc.ServicerContext
    ) -> Answered:
        caller, run = self._run(request, context)
        earlier = request.earlier_run_id or None
        return self._histories.drift(caller, run, earlier, seconds=seconds_left(context, at_most=_SECONDS))

    def _run(
        self,
        request: pb.DownloadGroupHistoryRequest
        | pb.StreamGroupHistoryRequest
        | pb.ExportGroupHistoryRequest
        | pb.GetGroupDriftRequest
        | pb.ExportGroupDriftRequest
        | pb.ListNewDocumentsRequest,
        context: grpc.ServicerContext,
    ) -> tuple[Caller, ClusterRun]:
        caller = caller_of(self._access, context)
        return caller, self._artifacts.run(caller, request.cluster_id, request.run_id)
