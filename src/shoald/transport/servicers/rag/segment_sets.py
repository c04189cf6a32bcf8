"""Segment sets over gRPC: made, joined, listed, and read as streamed JSON or as columns."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from google.api.httpbody_pb2 import HttpBody
from shoal.rag.v1 import item_pb2, segment_set_pb2, segment_set_service_pb2_grpc
from shoal.rag.v1 import segment_set_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.clone_patching import ClonePatching
from shoald.application.joining import Joining
from shoald.application.pictures import Pictures
from shoald.application.segmenting import Segmenting
from shoald.domain.media_types import ending_of
from shoald.domain.records.segment_set import SegmentSet
from shoald.transport import downloads
from shoald.transport.callers import caller_of, patience_of
from shoald.transport.mapping.rag import segment_sets as mapping
from shoald.transport.mapping.rag.fields import announce_next, list_range
from shoald.transport.mapping.rag.items import clone_patch_of, columns, with_items


class SegmentSetServicer(segment_set_service_pb2_grpc.SegmentSetServiceServicer):
    """Hands requests to `Segmenting`, `Joining`, `ClonePatching` and `Pictures`."""

    def __init__(
        self,
        access: Access,
        segmenting: Segmenting,
        joining: Joining,
        clone_patching: ClonePatching,
        pictures: Pictures,
    ) -> None:
        self._access = access
        self._segmenting = segmenting
        self._joining = joining
        self._clone_patching = clone_patching
        self._pictures = pictures

    def CreateSegments(self, request: pb.CreateSegmentsRequest, context: grpc.ServicerContext) -> Iterator[HttpBody]:
        """Make one and write it as JSON."""
        return self._json(self._create(request, context))

    def CreateSegmentSet(
        self, request: pb.CreateSegmentSetRequest, context: grpc.ServicerContext
    ) -> segment_set_pb2.SegmentSet:
        """Make one."""
        return mapping.to_message(self._create(request, context))

    def JoinSegmentSetsWithItems(
        self, request: pb.JoinSegmentSetsWithItemsRequest, context: grpc.ServicerContext
    ) -> Iterator[HttpBody]:
        """Join some and write the new one as JSON."""
        return self._json(self._join(request, context))

    def JoinSegmentSets(
        self, request: pb.JoinSegmentSetsRequest, context: grpc.ServicerContext
    ) -> segment_set_pb2.SegmentSet:
        """Join some."""
        return mapping.to_message(self._join(request, context))

    def ClonePatchSegmentItem(
        self, request: pb.ClonePatchSegmentItemRequest, context: grpc.ServicerContext
    ) -> Iterator[HttpBody]:
        """Derive one and write it as JSON."""
        return self._json(self._clone(request, context))

    def CloneSegmentSet(
        self, request: pb.CloneSegmentSetRequest, context: grpc.ServicerContext
    ) -> segment_set_pb2.SegmentSet:
        """Derive one."""
        return mapping.to_message(self._clone(request, context))

    def ListSegmentSets(
        self, request: pb.ListSegmentSetsRequest, context: grpc.ServicerContext
    ) -> pb.ListSegmentSetsResponse:
        """List those of a project."""
        listed = self._segmenting.list(caller_of(self._access, context), request.project_id, list_range(request))
        announce_next(listed)
        return pb.ListSegmentSetsResponse(segment_sets=map(mapping.to_message, listed.rows))

    def GetSegmentSetWithItems(
        self, request: pb.GetSegmentSetWithItemsRequest, context: grpc.ServicerContext
    ) -> Iterator[HttpBody]:
        """Write one as JSON."""
        return self._json(self._segmenting.get(caller_of(self._access, context), request.segment_set_id))

    def GetSegmentSet(
        self, request: pb.GetSegmentSetRequest, context: grpc.ServicerContext
    ) -> segment_set_pb2.SegmentSet:
        """Get one."""
        segment_set = self._segmenting.get(caller_of(self._access, context), request.segment_set_id)
        return mapping.to_message(self._segmenting.as_seen(segment_set))

    def ReadSegmentItems(
        self, request: pb.ReadSegmentItemsRequest, context: grpc.ServicerContext
    ) -> Iterator[item_pb2.ItemColumns]:
        """Read the items of one."""
        segment_set = self._segmenting.get(caller_of(self._access, context), request.segment_set_id)
        return columns(self._segmenting.items(segment_set, start=request.start_position))

    def DownloadSegmentPicture(
        self, request: pb.DownloadSegmentPictureRequest, context: grpc.ServicerContext
    ) -> Iterator[HttpBody]:
        """Send the bytes of the picture of one item."""
        caller = caller_of(self._access, context)
        picture = self._pictures.of_item(caller, request.segment_set_id, request.item_id)
        file = downloads.Download(
            etag=picture.content_hash,
            size=picture.size,
            mime=picture.mime,
            filename=request.item_id + ending_of(picture.mime),
            parts=picture.parts,
        )
        return downloads.send(context, file)

    def _create(
        self, request: pb.CreateSegmentsRequest | pb.CreateSegmentSetRequest, context: grpc.ServicerContext
    ) -> SegmentSet:
        caller = caller_of(self._access, context)
        how = mapping.segmentation_of(request)
        return self._segmenting.create(caller, request.version_id, how, patience_of(context))

    def _join(
        self, request: pb.JoinSegmentSetsRequest | pb.JoinSegmentSetsWithItemsRequest, context: grpc.ServicerContext
    ) -> SegmentSet:
        caller = caller_of(self._access, context)
        return self._joining.create(caller, request.project_id, request.segment_set_ids, patience_of(context))

    def _clone(
        self, request: pb.ClonePatchSegmentItemRequest | pb.CloneSegmentSetRequest, context: grpc.ServicerContext
    ) -> SegmentSet:
        caller, change = caller_of(self._access, context), clone_patch_of(request)
        return self._clone_patching.segment_set(caller, request.segment_set_id, change, patience_of(context))

    def _json(self, segment_set: SegmentSet) -> Iterator[HttpBody]:
        shown = mapping.to_message(self._segmenting.as_seen(segment_set))
        return with_items("segment_set", shown, self._segmenting.items_as_json(segment_set))
