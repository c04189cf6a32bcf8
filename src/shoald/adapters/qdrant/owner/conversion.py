"""Qdrant's messages to the engine's objects and back; what the owner does not serve is refused by name."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message
from qdrant_client import grpc as messages
from qdrant_edge import Distance, Filter, HasIdCondition, Point, Query, QueryRequest, Record, ScoredPoint, SearchParams

_DISTANCES = {
    messages.Distance.Cosine: Distance.Cosine,
    messages.Distance.Dot: Distance.Dot,
    messages.Distance.Euclid: Distance.Euclid,
}
_KINDS = {bool: "bool_value", int: "integer_value", float: "double_value", str: "string_value"}
_DEFAULT_LIMIT = 10
_MOST_HITS = 1_000_000


class NotServedError(Exception):
    """The request uses something that the owner process does not serve."""


def refuse_others(request: Message, *served: str) -> None:
    """Raise `NotServedError` when the request sets a field that is not among those served."""
    for descriptor, _ in request.ListFields():
        if descriptor.name not in served:
            raise NotServedError(f"{request.DESCRIPTOR.name}.{descriptor.name}")


def to_vector_params(config: messages.VectorsConfig) -> tuple[int, Distance]:
    """Return dimension and distance of a collection with one unnamed vector."""
    if config.WhichOneof("config") != "params":
        raise NotServedError("CreateCollection.vectors_config.params_map")
    refuse_others(config.params, "size", "distance", "on_disk")
    distance = _DISTANCES.get(config.params.distance)
    if distance is None or not config.params.size:
        raise NotServedError("VectorParams.distance or size")
    return config.params.size, distance


def to_point(point: messages.PointStruct) -> Point:
    """Return a point as the engine takes it."""
    if point.vectors.WhichOneof("vectors_options") != "vector":
        raise NotServedError("PointStruct.vectors.vectors")
    payload = {key: _plain(value) for key, value in point.payload.items()}
    return Point(to_id(point.id), dense(point.vectors.vector), payload)


def to_query(request: messages.QueryPoints) -> QueryRequest:
    """Return a search for the nearest of one dense vector."""
    refuse_others(
        request, "collection_name", "query", "limit", "offset", "with_vectors", "with_payload", "params", "timeout",
        "score_threshold", "filter",
    )  # fmt: skip
    if request.query.WhichOneof("variant") != "nearest" or request.query.nearest.WhichOneof("variant") != "dense":
        raise NotServedError("QueryPoints.query other than a dense vector")
    limit = request.limit or _DEFAULT_LIMIT
    if limit + request.offset > _MOST_HITS:
        raise NotServedError(f"QueryPoints.limit over {_MOST_HITS}")
    return QueryRequest(
        query=Query.Nearest(list(request.query.nearest.dense.data)),
        limit=limit,
        offset=request.offset,
        filter=to_filter(request.filter) if request.HasField("filter") else None,
        params=SearchParams(exact=request.params.exact, hnsw_ef=request.params.hnsw_ef or None),
        score_threshold=request.score_threshold if request.HasField("score_threshold") else None,
        with_vector=wants_vectors(request.with_vectors),
        with_payload=wants_payload(request.with_payload),
    )


def to_filter(wanted: messages.Filter) -> Filter:
    """Return a filter of points by their ids; others are not served."""
    refuse_others(wanted, "must", "must_not")
    return Filter(
        must=[_has_id(condition) for condition in wanted.must],
        must_not=[_has_id(condition) for condition in wanted.must_not],
    )


def _has_id(condition: messages.Condition) -> HasIdCondition:
    if condition.WhichOneof("condition_one_of") != "has_id":
        raise NotServedError(f"Condition.{condition.WhichOneof('condition_one_of')}")
    return HasIdCondition({to_id(identifier) for identifier in condition.has_id.has_id})


def wants_vectors(selector: messages.WithVectorsSelector) -> bool:
    """Say whether vectors are asked for; a choice among named ones is not served."""
    refuse_others(selector, "enable")
    return selector.enable


def wants_payload(selector: messages.WithPayloadSelector) -> bool:
    """Say whether payloads are asked for; a choice among their keys is not served."""
    refuse_others(selector, "enable")
    return selector.enable


def to_id(identifier: messages.PointId) -> int | str:
    """Return a point's id: a number or a UUID."""
    return identifier.num if identifier.WhichOneof("point_id_options") == "num" else identifier.uuid


def dense(vector: messages.Vector) -> list[float]:
    """Return a dense vector, in its present or its older form."""
    kind = vector.WhichOneof("vector")
    if kind == "dense":
        return list(vector.dense.data)
    if kind is None and vector.data and not vector.HasField("indices"):
        return list(vector.data)
    raise NotServedError(f"Vector.{kind or 'indices'}")


def from_scored(point: ScoredPoint) -> messages.ScoredPoint:
    """Return a hit as Qdrant answers it."""
    answer = messages.ScoredPoint(
        id=from_id(point.id), score=point.score, version=point.version, payload=_messages(point.payload)
    )
    _set_vector(answer.vectors, point.vector)
    return answer


def from_record(record: Record) -> messages.RetrievedPoint:
    """Return a stored point as Qdrant answers it."""
    answer = messages.RetrievedPoint(id=from_id(record.id), payload=_messages(record.payload))
    _set_vector(answer.vectors, record.vector)
    return answer


def from_id(identifier: Any) -> messages.PointId:
    """Return a point's id as Qdrant writes it."""
    if isinstance(identifier, int):
        return messages.PointId(num=identifier)
    return messages.PointId(uuid=str(identifier))


def _set_vector(answer: messages.VectorsOutput, vector: Any) -> None:
    if vector is not None:
        answer.vector.dense.data.extend(vector)


def _plain(value: messages.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return {key: _plain(inner) for key, inner in value.struct_value.fields.items()}
    if kind == "list_value":
        return [_plain(inner) for inner in value.list_value.values]
    return None if kind in {None, "null_value"} else getattr(value, kind)


def _messages(payload: Any) -> dict[str, messages.Value]:
    return {key: _message(value) for key, value in (payload or {}).items()}


def _message(value: Any) -> messages.Value:
    kind = _KINDS.get(type(value))
    if kind is not None:
        return messages.Value(**{kind: value})
    if isinstance(value, list):
        return messages.Value(list_value=messages.ListValue(values=[_message(inner) for inner in value]))
    if isinstance(value, dict):
        return messages.Value(struct_value=messages.Struct(fields=_messages(value)))
    return messages.Value(null_value=messages.NullValue.NULL_VALUE)
