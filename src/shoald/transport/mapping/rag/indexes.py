"""Indexes and builds as messages, and requests about them as what the use cases take."""

from __future__ import annotations

from shoal.rag.v1 import index_pb2, index_service_pb2

from shoald.application.index_building import AcceptedBuild, NewBuild
from shoald.application.indexing import DEFAULT_INDEX_TYPE, NewIndex
from shoald.domain.records.index import Index, IndexBuild
from shoald.domain.vocabulary import IndexProvider
from shoald.transport.mapping.rag.fields import object_of, to_object, to_timestamp

_ASYNC, _SYNC = "async", "sync"


def to_message(index: Index) -> index_pb2.Index:
    """Return an index as it is shown."""
    return index_pb2.Index(
        index_id=index.index_id,
        project_id=index.project_id,
        name=index.name,
        provider=index.provider,
        index_type=index.index_type,
        config=to_object(index.config),
        params=to_object(index.params),
        status=index.status,
        is_deleted=index.is_deleted,
        created_at=to_timestamp(index.created_at),
        updated_at=to_timestamp(index.updated_at),
    )


def build_message(build: IndexBuild) -> index_pb2.IndexBuild:
    """Return a build as it is shown."""
    return index_pb2.IndexBuild(
        build_id=build.build_id,
        index_id=build.index_id,
        project_id=build.project_id,
        chunk_set_version_id=build.chunk_set_version_id,
        params=to_object(build.params),
        input_refs=to_object(build.input_refs),
        artifact_uri=build.artifact_uri,
        status=build.status,
        producer_type=build.producer_type,
        producer_version=build.producer_version,
        is_active=build.is_active,
        is_deleted=build.is_deleted,
        created_at=to_timestamp(build.created_at),
        updated_at=to_timestamp(build.updated_at),
    )


def accepted_message(accepted: AcceptedBuild) -> index_service_pb2.CreateIndexBuildResponse:
    """Return a build that has ended, or one that was accepted with its job."""
    return index_service_pb2.CreateIndexBuildResponse(
        mode=_ASYNC if accepted.job_id else _SYNC, job_id=accepted.job_id, build=build_message(accepted.build)
    )


def new_index_of(request: index_service_pb2.CreateIndexRequest) -> NewIndex:
    """Return what an index is to be, with the documented defaults."""
    return NewIndex(
        name=request.name,
        provider=request.provider if request.HasField("provider") else IndexProvider.QDRANT,
        index_type=request.index_type if request.HasField("index_type") else DEFAULT_INDEX_TYPE,
        config=object_of(request.config, "config"),
        params=object_of(request.params, "params"),
    )


def new_build_of(request: index_service_pb2.CreateIndexBuildRequest) -> NewBuild:
    """Return what to build; only the word `async` is asynchronous."""
    return NewBuild(
        chunk_set_version_id=request.chunk_set_version_id,
        params=object_of(request.params, "params"),
        is_async=request.execution_mode == _ASYNC,
    )
