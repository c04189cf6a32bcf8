"""Chunk sets as messages, and requests for them as what the use case takes."""

from __future__ import annotations

from shoal.rag.v1 import chunk_set_pb2, chunk_set_service_pb2

from shoald.application.chunking import Cutting
from shoald.domain.records.chunk_set import ChunkSet
from shoald.transport.mapping.rag.fields import object_of, to_object, to_timestamp


def to_message(chunk_set: ChunkSet) -> chunk_set_pb2.ChunkSet:
    """Return a chunk set as it is shown."""
    return chunk_set_pb2.ChunkSet(
        chunk_set_version_id=chunk_set.chunk_set_version_id,
        project_id=chunk_set.project_id,
        segment_set_version_id=chunk_set.segment_set_version_id,
        parent_chunk_set_version_id=chunk_set.parent_chunk_set_version_id,
        params=to_object(chunk_set.params),
        input_refs=to_object(chunk_set.input_refs),
        artifact_uri=chunk_set.artifact_uri,
        producer_type=chunk_set.producer_type,
        producer_version=chunk_set.producer_version,
        is_active=chunk_set.is_active,
        is_deleted=chunk_set.is_deleted,
        created_at=to_timestamp(chunk_set.created_at),
        total_items=chunk_set.total_items,
    )


def cutting_of(
    request: chunk_set_service_pb2.ChunkFromSegmentRequest | chunk_set_service_pb2.CreateChunkSetRequest,
) -> Cutting:
    """Return how a request wants a segment set cut."""
    return Cutting(
        strategy=request.strategy if request.HasField("strategy") else None,
        params=object_of(request.chunker_params, "chunker_params"),
    )
