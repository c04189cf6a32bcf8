"""Artifacts over gRPC: as JSON in parts, as Arrow record batches, and as files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
from google.api.httpbody_pb2 import HttpBody
from shoal.clusters.v1 import artifact_pb2, artifact_service_pb2_grpc
from shoal.clusters.v1 import artifact_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.artifacts import Artifacts, MemberRange
from shoald.application.run_maps import MOST_POINTS, RunMaps
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.vocabulary import ColumnFormat
from shoald.transport.callers import caller_of
from shoald.transport.calls import seconds_left
from shoald.transport.mapping.clusters import artifacts as mapping
from shoald.transport.mapping.clusters.visualizations import visualization_json

_ARROW_BYTES = 1024 * 1024
_MAP_SECONDS = 300.0
_FLAT, _SOLID, _CSV = "2d", "3d", "csv"


class ArtifactServicer(artifact_service_pb2_grpc.ArtifactServiceServicer):
    """Hands requests to `Artifacts` and `RunMaps`. Each call looks up its run before it answers anything."""

    def __init__(self, access: Access, artifacts: Artifacts, maps: RunMaps) -> None:
        self._access = access
        self._artifacts = artifacts
        self._maps = maps

    def DownloadArtifacts(
        self, request: pb.DownloadArtifactsRequest, context: grpc.ServicerContext
    ) -> Iterator[HttpBody]:
        """Write groups and members as JSON."""
        run = self._run(context, request.cluster_id, request.run_id or None)
        if request.projection_method == _SOLID:
            self._artifacts.require_third_dimension(run)
        with_centroids = request.include_centroids or not request.HasField("include_centroids")
        feature = request.feature or None
        self._artifacts.require_feature(run, feature)
        wanted = MemberRange(feature=feature, limit=request.limit or None)
        return mapping.artifacts_json(
            run,
            vectors=self._artifacts.centroid_vectors(run) if with_centroids else None,
            members=self._artifacts.members(run, wanted) if request.include_members else (),
            feature=feature,
            flat=request.projection_method == _FLAT,
        )

    def DownloadExecutionData(
        self, request: pb.DownloadExecutionDataRequest, context: grpc.ServicerContext
    ) -> Iterator[HttpBody]:
        """Write groups and members as JSON, of one group if wanted."""
        run = self._run(context, request.cluster_id, request.run_id)
        asked = mapping.data_asked_of(request)
        with_centroids = asked.include_centroids or not asked.HasField("include_centroids")
        only, feature = asked.cluster_id or None, asked.feature or None
        self._artifacts.require_feature(run, feature)
        wanted = MemberRange(cluster_id=only, feature=feature, limit=asked.limit or None, offset=asked.offset)
        return mapping.artifacts_json(
            run,
            vectors=self._artifacts.centroid_vectors(run) if with_centroids else None,
            members=self._artifacts.members(run, wanted) if asked.include_members else (),
            only=only,
            feature=feature,
        )

    def DownloadVisualization(
        self, request: pb.DownloadVisualizationRequest, context: grpc.ServicerContext
    ) -> Iterator[HttpBody]:
        """Write the map as JSON."""
        caller = caller_of(self._access, context)
        run = self._artifacts.run(caller, request.cluster_id, request.run_id or None)
        feature = request.feature or None
        self._artifacts.require_feature(run, feature)
        run = self._maps.with_map(caller, run, seconds=seconds_left(context, at_most=_MAP_SECONDS))
        most = 0 if request.centroids_only else request.max_points or MOST_POINTS
        return visualization_json(self._maps.of(run, most=most, feature=feature), compact=request.compact)

    def StreamMembers(self, request: pb.StreamMembersRequest, context: grpc.ServicerContext) -> Iterator[Any]:
        """Stream members as Arrow record batches, encoded already, or as lists."""
        run = self._run(context, request.cluster_id, request.run_id or None)
        if request.format == ColumnFormat.LISTS:
            yield from map(mapping.members_message, self._artifacts.members(run, MemberRange()))
            return
        for arrow, rows in self._artifacts.arrow(run, max_bytes=_ARROW_BYTES):
            yield mapping.encoded_members(arrow, rows)

    def ExportExecution(self, request: pb.ExportExecutionRequest, context: grpc.ServicerContext) -> Iterator[HttpBody]:
        """Answer with the address of a file, or with text."""
        run = self._run(context, request.cluster_id, request.run_id)
        if request.format == _CSV:
            return mapping.csv_text(self._artifacts.documents(run, label=request.cluster_label or None))
        return mapping.export_json(self._artifacts.export(run))

    def GetExportLink(self, request: pb.GetExportLinkRequest, context: grpc.ServicerContext) -> artifact_pb2.ExportLink:
        """Answer with the address of a file."""
        run = self._run(context, request.cluster_id, request.run_id or None)
        return mapping.export_message(self._artifacts.export(run))

    def DownloadFile(self, request: pb.DownloadFileRequest, context: grpc.ServicerContext) -> Iterator[HttpBody]:
        """Send the file behind a link."""
        opened = self._artifacts.open_file(request.token)
        # the name comes from the link, which is sealed: it is one that the server made
        context.send_initial_metadata((("content-disposition", f'attachment; filename="{opened.filename}"'),))
        return mapping.file_parts(opened.parts)

    def _run(self, context: grpc.ServicerContext, cluster: str, run_id: str | None) -> ClusterRun:
        return self._artifacts.run(caller_of(self._access, context), cluster, run_id)
