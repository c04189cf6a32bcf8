"""Namespaces as messages, and requests about them as what the use case takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf import struct_pb2
from shoal.clusters.v1 import namespace_pb2, namespace_service_pb2

from shoald.application.namespaces import MANAGED, STANDALONE, CountedNamespace, NamespaceChanges, NewNamespace
from shoald.domain.failures import FieldProblem, InvalidFields
from shoald.domain.records.collection import NamespaceCounts, PayloadIndex, VectorConfig
from shoald.domain.vocabulary import PayloadFieldType, VectorKind, VectorMetric
from shoald.transport.json_values import plain, to_struct
from shoald.transport.mapping.clusters.times import to_timestamp

_READY = "ready"
_LONGEST_FIELD = 255


def to_message(counted: CountedNamespace) -> namespace_pb2.Namespace:
    """Return a namespace as it is shown."""
    namespace = counted.namespace
    message = namespace_pb2.Namespace(
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
    if namespace.payload_indexes:
        message.payload_indexes.CopyFrom(_indexes_message(namespace.payload_indexes))
    return message


def to_summary(counted: CountedNamespace) -> namespace_pb2.Namespace:
    """Return a namespace without what is long of it."""
    message = to_message(counted)
    message.ClearField("vector_configs")
    message.ClearField("payload_indexes")
    return message


def _indexes_message(indexes: Iterable[PayloadIndex]) -> struct_pb2.ListValue:
    shown = [{"field_name": one.field_name, "type": one.type, "is_protected": False} for one in indexes]
    return struct_pb2.ListValue(values=[struct_pb2.Value(struct_value=to_struct(one)) for one in shown])


def stats_message(namespace_id: str, counts: NamespaceCounts) -> namespace_pb2.NamespaceStats:
    """Return how much a namespace holds."""
    return namespace_pb2.NamespaceStats(
        namespace_id=namespace_id,
        document_count=counts.documents,
        document_count_complete=True,
        collection_count=counts.collections,
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
        namespace_id=request.namespace_id if request.HasField("namespace_id") else None,
        namespace_name=request.namespace_name,
        description=request.description if request.HasField("description") else None,
        mode=request.mode or MANAGED,
        vector_configs=vector_configs_of(request.vector_configs),
        payload_indexes=tuple(
            PayloadIndex(field_name=one.field_name, type=one.type) for one in request.payload_indexes
        ),
    )


def changes_of(body: namespace_service_pb2.UpdateNamespaceBody) -> NamespaceChanges:
    """Return what a request changes; raises `InvalidFields` for payload indexes that are none."""
    indexes = body.payload_indexes if body.HasField("payload_indexes") else None
    return NamespaceChanges(
        namespace_name=body.namespace_name if body.HasField("namespace_name") else None,
        description=body.description if body.HasField("description") else None,
        payload_indexes=None if indexes is None else _indexes_of(indexes),
    )


def _indexes_of(given: struct_pb2.ListValue) -> tuple[PayloadIndex, ...]:
    entries = [plain(value) for value in given.values]
    problems = [problem for at, entry in enumerate(entries) for problem in _problems(at, entry)]
    if problems:
        raise InvalidFields(problems)
    return tuple(PayloadIndex(field_name=entry["field_name"], type=entry["type"]) for entry in entries)


def _problems(at: int, entry: Any) -> list[FieldProblem]:
    """Hold an entry to the rules of `PayloadIndex`; so that an empty list can be said, they come as free values."""
    loc = ("body", "payload_indexes", at)
    if not isinstance(entry, dict):
        return [FieldProblem(loc, "dict_type", "Input should be a valid dictionary", entry)]
    name, kind = entry.get("field_name"), entry.get("type")
    found = []
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_FIELD:
        message = f"Input should be a string of 1 to {_LONGEST_FIELD} characters"
        found.append(FieldProblem((*loc, "field_name"), "string_type", message, name))
    if not isinstance(kind, str) or kind not in set(PayloadFieldType):
        message = f"Input should be one of {', '.join(PayloadFieldType)}"
        found.append(FieldProblem((*loc, "type"), "enum", message, kind))
    return found


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
