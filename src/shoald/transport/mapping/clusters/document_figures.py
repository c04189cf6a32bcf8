"""Figures over groups of documents as messages, and what is asked of them as the use case takes it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from google.protobuf.struct_pb2 import Struct
from shoal.clusters.v1 import collection_document_service_pb2 as pb

from shoald.application.document_reading import path_of
from shoald.application.listing import condition_of
from shoald.domain.failures import InvalidFields
from shoald.domain.records.aggregation import (
    MOST_GROUPS,
    Aggregated,
    Aggregation,
    DistinctValue,
    Figure,
    GroupKey,
    Having,
    Ranges,
)
from shoald.transport.json_values import plain, plain_object, to_struct, to_value

_ASCENDING = "asc"


def aggregation_of(request: pb.AggregateDocumentsRequest) -> Aggregation:
    """Return what is asked; raises `InvalidFields` for paths and filters that are none."""
    return Aggregation(
        keys=(
            *(_key(one, at) for at, one in enumerate(request.group_by)),
            *(_ranges(one, at) for at, one in enumerate(request.range_buckets)),
        ),
        figures=tuple(_figure(one, at) for at, one in enumerate(request.aggregations)),
        having=tuple(Having(alias=one.field, operator=one.operator, value=plain(one.value)) for one in request.having),
        unwind=path_of(request.unwind, "unwind") if request.HasField("unwind") else None,
        sort_by=request.sort_by if request.HasField("sort_by") else None,
        descending=request.sort_direction != _ASCENDING,
        limit=request.limit if request.HasField("limit") else MOST_GROUPS,
        condition=condition_of(plain_object(request.filters)),
    )


def aggregated_message(answer: Aggregated) -> pb.AggregateDocumentsResponse:
    """Return the groups."""
    return pb.AggregateDocumentsResponse(
        results=[
            pb.AggregationResult(group=to_struct(group.key), metrics=to_struct(group.figures))
            for group in answer.groups
        ],
        total_groups=answer.total,
        query_info=Struct(),
    )


def distinct_message(field: str, values: Sequence[DistinctValue]) -> pb.DistinctDocumentValuesResponse:
    """Return the values of a field."""
    return pb.DistinctDocumentValuesResponse(
        field=field,
        values=[pb.DistinctValue(value=to_value(one.value), count=one.count) for one in values],
        total_distinct=len(values),
        query_info=Struct(),
    )


def _key(message: pb.GroupByField, at: int) -> GroupKey:
    if message.HasField("date_trunc") and message.HasField("date_part"):
        text = "cannot stand beside date_trunc"
        raise InvalidFields.field("body", "group_by", at, "date_part", message=text, value=message.date_part)
    return GroupKey(
        path=path_of(message.field, "group_by", at, "field"),
        alias=message.alias or message.field,
        date_trunc=message.date_trunc or None,
        date_part=message.date_part or None,
    )


def _ranges(message: pb.RangeBucket, at: int) -> Ranges:
    if any(low >= high for low, high in pairwise(message.boundaries)):
        text = "must ascend"
        raise InvalidFields.field("body", "range_buckets", at, "boundaries", message=text)
    return Ranges(
        path=path_of(message.field, "range_buckets", at, "field"),
        alias=message.field,
        boundaries=tuple(message.boundaries),
        default=message.default_bucket if message.HasField("default_bucket") else None,
    )


def _figure(message: pb.AggregationOperation, at: int) -> Figure:
    name = message.field or (message.distinct_field if message.function == "count_distinct" else "")
    path = path_of(name, "aggregations", at, "field") if name else None
    return Figure(function=message.function, alias=message.alias, path=path)
