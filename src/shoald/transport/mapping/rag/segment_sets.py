"""Segment sets as messages, and requests for them as what the use case takes."""

from __future__ import annotations

from shoal.rag.v1 import segment_set_pb2, segment_set_service_pb2

from shoald.application.segmenting import Segmentation
from shoald.domain.records.segment_set import SegmentSet
from shoald.transport.mapping.rag.fields import object_of, to_object, to_timestamp


def to_message(segment_set: SegmentSet) -> segment_set_pb2.SegmentSet:
    """Return a segment set as it is shown."""
    return segment_set_pb2.SegmentSet(
        segment_set_version_id=segment_set.segment_set_version_id,
        project_id=segment_set.project_id,
        document_version_id=segment_set.document_version_id,
        parent_segment_set_version_id=segment_set.parent_segment_set_version_id,
        params=to_object(segment_set.params),
        input_refs=to_object(segment_set.input_refs),
        artifact_uri=segment_set.artifact_uri,
        producer_type=segment_set.producer_type,
        producer_version=segment_set.producer_version,
        is_active=segment_set.is_active,
        is_deleted=segment_set.is_deleted,
        created_at=to_timestamp(segment_set.created_at),
        total_items=segment_set.total_items,
    )


def segmentation_of(
    request: segment_set_service_pb2.CreateSegmentsRequest | segment_set_service_pb2.CreateSegmentSetRequest,
) -> Segmentation:
    """Return how a request wants a version segmented."""
    return Segmentation(
        loader_type=request.loader_type,
        loader_params=object_of(request.loader_params, "loader_params"),
        source_text=request.source_text if request.HasField("source_text") else None,
    )
