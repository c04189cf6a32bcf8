"""Artifacts, their deletion and their events as messages."""

from __future__ import annotations

from shoal.rag.v1 import artifact_pb2
from shoal.rag.v1 import artifact_service_pb2 as pb

from shoald.application.lineage import ArtifactPage
from shoald.domain.cursors import cursor_of
from shoald.domain.records.artifact import Artifact, ArtifactEvent
from shoald.transport.mapping.rag.fields import to_object, to_timestamp


def page_message(page: ArtifactPage) -> pb.ListArtifactsResponse:
    """Return a part of a feed as it is shown."""
    return pb.ListArtifactsResponse(
        items=map(_to_message, page.items),
        next_cursor=None if page.next_offset is None else cursor_of(page.next_offset),
        has_more=page.next_offset is not None,
        total=page.total,
    )


def deletion_message(event: ArtifactEvent) -> artifact_pb2.ArtifactDeletion:
    """Return that an artifact was deleted."""
    return artifact_pb2.ArtifactDeletion(
        ok=True,
        artifact_kind=event.kind,
        artifact_id=event.artifact_id,
        deleted_at=to_timestamp(event.created_at),
    )


def restoration_message(event: ArtifactEvent) -> artifact_pb2.ArtifactRestoration:
    """Return that an artifact was restored."""
    return artifact_pb2.ArtifactRestoration(
        ok=True,
        artifact_kind=event.kind,
        artifact_id=event.artifact_id,
        restored_at=to_timestamp(event.created_at),
    )


def event_message(event: ArtifactEvent) -> artifact_pb2.ArtifactEvent:
    """Return what happened to an artifact once."""
    return artifact_pb2.ArtifactEvent(
        action=event.action,
        artifact_kind=event.kind,
        artifact_id=event.artifact_id,
        reason=event.reason,
        actor=event.actor,
        request_id=event.request_id,
        created_at=to_timestamp(event.created_at),
    )


def _to_message(artifact: Artifact) -> artifact_pb2.Artifact:
    return artifact_pb2.Artifact(
        artifact_kind=artifact.kind,
        artifact_id=artifact.artifact_id,
        project_id=artifact.project_id,
        created_at=to_timestamp(artifact.created_at),
        is_deleted=artifact.is_deleted,
        metadata=to_object(artifact.metadata),
    )
