"""Namespaces as messages, and requests about them as what the use case takes."""

from __future__ import annotations

from collections.abc import Iterable

from shoal.clusters.v1 import namespace_pb2, namespace_service_pb2

from shoald.application.namespaces import MANAGED, STANDALONE, CountedNamespace, NewNamespace
from shoald.domain.records.collection import VectorConfig
from shoald.domain.vocabulary import VectorKind, VectorMetric
from shoald.transport.mapping.clusters.times import to_timestamp

_READY = "ready"


def to_message(counted: CountedNamespace) -> namespace_pb2.Namespace:
    """Return a namespace as it is shown."""
    namespace = counted.namespace
    return namespace_pb2.Namespace(
        namespace_id=namespace.namespace_id,
        namespace_name=namespace.namespace_name,
        description=namespace.description,
        mode=namespace.mode,
        vector_configs=map(vector_config_message, namespace.vector_configs),
        document_count=counted.document_count,
        namespace_ready=True,
        created_at=to_timestamp(namespace.created_at),
        updated_at=to_timestamp(namespace.updated_at),
    )


def standalone_message(counted: CountedNamespace) -> namespace_service_pb2.StandaloneNamespace:
    """Return a standalone namespace as its creation answers."""
    namespace = counted.namespace
    return namespace_service_pb2.StandaloneNamespace(
        namespace_id=namespace.namespace_id,
        namespace_name=namespace.namespace_name,
        mode=namespace.mode,
        status=_READY,
        vector_configs=map(vector_config_message, namespace.vector_configs),
        document_count=counted.document_count,
    )


def new_namespace_of(request: namespace_service_pb2.CreateNamespaceRequest) -> NewNamespace:
    """Return what a request says of a new namespace."""
    return NewNamespace(
        namespace_name=request.namespace_name,
        description=request.description if request.HasField("description") else None,
        mode=request.mode or MANAGED,
        vector_configs=vector_configs_of(request.vector_configs),
    )


def standalone_of(request: namespace_service_pb2.CreateStandaloneNamespaceRequest) -> NewNamespace:
    """Return what a request says of a new standalone namespace: id and name stand for each other."""
    return NewNamespace(
        namespace_id=request.namespace_id or request.namespace_name,
        namespace_name=request.namespace_name or request.namespace_id,
        description=request.description if request.HasField("description") else None,
        mode=STANDALONE,
        vector_configs=vector_configs_of(request.vector_configs),
    )


def vector_configs_of(messages: Iterable[namespace_pb2.VectorConfig]) -> tuple[VectorConfig, ...]:
    """Return vector configurations as records."""
    return tuple(
        VectorConfig(
            name=message.name,
            dimension=message.dimension,
            metric=message.metric or VectorMetric.COSINE.value,
            feature_uri=message.feature_uri if message.HasField("feature_uri") else None,
            kind=message.kind or VectorKind.DENSE.value,
        )
        for message in messages
    )


def vector_config_message(config: VectorConfig) -> namespace_pb2.VectorConfig:
    """Return a vector configuration as it is shown."""
    return namespace_pb2.VectorConfig(
        name=config.name,
        dimension=config.dimension,
        metric=config.metric,
        feature_uri=config.feature_uri,
        kind=config.kind,
    )
