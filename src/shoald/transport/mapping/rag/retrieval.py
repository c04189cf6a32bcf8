"""Retrievals: requests as what the use case takes, pages as messages."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from shoal.rag.v1 import retrieval_map_pb2, retrieval_pb2
from shoal.rag.v1 import retrieval_service_pb2 as pb

from shoald.application.map_findings import MapFindings
from shoald.application.retrieving import RetrievalPage, RetrievedDocument
from shoald.domain.cursors import cursor_of
from shoald.domain.json_types import JsonObject
from shoald.domain.retrieval.run_groups import HitGroup
from shoald.transport.mapping.rag.fields import object_of, to_object


def given_by(request: pb.RetrieveRequest) -> JsonObject:
    """Return the fields that a request has; the use case knows what those mean that it leaves out."""
    given: dict[str, Any] = {
        name: getattr(request, name)
        for name in ("query", "target", "target_id", "persist", "limit", "cursor")
        if request.HasField(name)
    }
    if request.HasField("strategy"):
        given["strategy"] = strategy_fields(request.strategy)
    if request.HasField("filter"):
        given["filter"] = object_of(request.filter, "filter")
    if request.HasField("map"):
        given["map"] = json_format.MessageToDict(request.map, preserving_proto_field_name=True)
    return given


def strategy_fields(message: Message) -> JsonObject:
    """Return the fields that a strategy has, those of strategies within it too."""
    return {field.name: _plain(value) for field, value in message.ListFields()}


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        return strategy_fields(value)
    return value if isinstance(value, str | int | float) else [_plain(element) for element in value]


def to_message(page: RetrievalPage) -> pb.RetrieveResponse:
    """Return a page as it is shown."""
    return pb.RetrieveResponse(
        items=map(_document, page.items),
        next_cursor=None if page.next_offset is None else cursor_of(page.next_offset),
        has_more=page.next_offset is not None,
        strategy=page.strategy,
        target=page.target,
        target_id=page.target_id,
        total=page.total,
        run_id=page.run_id,
        map=None if page.map is None else _findings(page.map),
    )


def _document(document: RetrievedDocument) -> retrieval_pb2.RetrievedDocument:
    return retrieval_pb2.RetrievedDocument(
        page_content=document.page_content,
        metadata=to_object(document.metadata),
        score=document.score,
        group=None if document.group is None else _group(document.group),
    )


def _group(group: HitGroup) -> retrieval_map_pb2.HitGroup:
    return retrieval_map_pb2.HitGroup(
        group_id=group.group_id, label=group.label, path=group.path, membership=group.membership
    )


def _findings(found: MapFindings) -> retrieval_map_pb2.MapFindings:
    return retrieval_map_pb2.MapFindings(
        run_id=found.run_id,
        cluster_id=found.cluster_id,
        groups=[
            retrieval_map_pb2.GroupOnPage(group=_group(one.group), first=one.first, count=one.count, total=one.total)
            for one in found.groups
        ],
        facets=[retrieval_map_pb2.GroupFacet(group=_group(one.group), count=one.count) for one in found.facets],
    )
