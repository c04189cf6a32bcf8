"""Artifacts as JSON written in parts, as CSV, and as typed messages."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.descriptor import FieldDescriptor
from shoal.clusters.v1 import artifact_pb2, artifact_service_pb2

from shoald.application.artifacts import Export, is_group
from shoald.domain.csv_cells import plain_cell
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import ClusterRun
from shoald.transport.json_values import documented
from shoald.transport.mapping.clusters.executions import Vectors, centroid_message
from shoald.transport.mapping.clusters.times import to_timestamp

PART_BYTES = 256 * 1024
_JSON, _CSV = "application/json", "text/csv; charset=utf-8"
_MEMBER_FIELDS = tuple(field.name for field in artifact_pb2.Member.DESCRIPTOR.fields)
_MEMBER_LISTS = artifact_pb2.MemberColumns.DESCRIPTOR.fields_by_name
_OF_LENGTH, _MARK = 2, 128
_ARROW_TAG = bytes([artifact_service_pb2.StreamMembersResponse.ARROW_FIELD_NUMBER << 3 | _OF_LENGTH])
_CSV_FIELDS = ("document_id", "collection_id", "cluster_id", "cluster_label", "x", "y", "z")
_SIMILARITY = "cosine_similarity_to_centroid"


def data_asked_of(
    request: artifact_service_pb2.DownloadExecutionDataRequest,
) -> artifact_service_pb2.ExecutionDataBody:
    """Return which groups and members are asked for: each field of the body wins over the query string's."""
    asked = artifact_service_pb2.ExecutionDataBody()
    for name in ("include_centroids", "include_members", "limit", "offset", "feature"):
        if request.HasField(name):
            setattr(asked, name, getattr(request, name))
    asked.MergeFrom(request.body)
    return asked


def artifacts_json(
    run: ClusterRun,
    *,
    vectors: Vectors | None,
    members: Iterable[Mapping[str, Any]],
    only: str | None = None,
    feature: str | None = None,
    flat: bool = False,
) -> Iterator[HttpBody]:
    """Yield `Artifacts` as JSON in parts: groups when `vectors` are given, then members batch by batch.

    `only` keeps one group, `feature` those of one feature, `flat` leaves out the third coordinate.
    """
    rows = [] if vectors is None else [row for row in run.groups if _is_wanted(row["cluster_id"], only, feature)]
    return in_parts(_JSON, _artifact_pieces(run, rows, vectors or {}, members, flat=flat))


def _is_wanted(cluster_id: str, only: str | None, feature: str | None) -> bool:
    is_of_feature = feature is None or cluster_id.startswith(f"{feature}:")
    return is_of_feature and (only is None or is_group(cluster_id, only))


def _artifact_pieces(
    run: ClusterRun,
    centroids: Sequence[JsonObject],
    vectors: Vectors,
    members: Iterable[Mapping[str, Any]],
    *,
    flat: bool,
) -> Iterator[bytes]:
    shell = artifact_pb2.Artifacts(
        cluster_id=run.cluster_id,
        run_id=run.run_id,
        total_clusters=len(run.centroids),
        total_members=run.num_points,
    )
    body = documented(shell)
    del body["centroids"], body["members"]
    yield orjson.dumps(body)[:-1] + b',"centroids":['
    separator = b""
    for row in centroids:
        yield separator + orjson.dumps(documented(centroid_message(row, vectors.get(row["cluster_id"]))))
        separator = b","
    yield b'],"members":['
    separator = b""
    for batch in members:
        rows = orjson.dumps(_member_rows(batch, flat=flat))[1:-1]
        if rows:
            yield separator + rows
            separator = b","
    yield b"]}"


def _member_rows(batch: Mapping[str, Any], *, flat: bool) -> list[dict[str, Any]]:
    """Return members as documented JSON: what Envoy would make of `Member`, without making one for each row."""
    names = [name for name in _MEMBER_FIELDS if name in batch]
    columns = [batch[name] for name in names]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    if flat:
        for row in rows:
            row["z"] = None
    return rows


def csv_text(batches: Iterable[Mapping[str, Any]]) -> Iterator[HttpBody]:
    """Yield members as CSV in parts; what begins like a formula is quoted with an apostrophe, as spreadsheets need."""
    return in_parts(_CSV, _csv_pieces(batches))


def _csv_pieces(batches: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_CSV_FIELDS, _SIMILARITY])
    for batch in batches:
        columns = [batch[name] for name in (*_CSV_FIELDS, _SIMILARITY)]
        writer.writerows([plain_cell(cell) for cell in row] for row in zip(*columns, strict=True))
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


def in_parts(content_type: str, pieces: Iterable[bytes]) -> Iterator[HttpBody]:
    """Gather pieces to parts of a good size; the first one carries the content type."""
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        while len(buffer) >= PART_BYTES:
            yield HttpBody(content_type=content_type, data=bytes(buffer[:PART_BYTES]))
            content_type = ""
            del buffer[:PART_BYTES]
    yield HttpBody(content_type=content_type, data=bytes(buffer))


def members_message(batch: Mapping[str, Any]) -> artifact_service_pb2.StreamMembersResponse:
    """Return a batch of members as lists; where there is no number, NaN."""
    columns = {name: _list_of(field, batch[name]) for name, field in _MEMBER_LISTS.items() if name in batch}
    lists = artifact_pb2.MemberColumns(**columns)
    return artifact_service_pb2.StreamMembersResponse(rows=len(batch["point_id"]), lists=lists)


def encoded_members(arrow: bytes, rows: int) -> bytes:
    """Return a `StreamMembersResponse` of an Arrow batch as the bytes that go out.

    The message itself would hold a copy of the batch and be copied once more: half of the processor time of a stream.
    """
    rest = artifact_service_pb2.StreamMembersResponse(rows=rows).SerializeToString()
    return b"".join((_ARROW_TAG, _varint(len(arrow)), arrow, rest))


def _varint(number: int) -> bytes:
    """Write a number as protobuf does: seven bits a byte, the lowest first, a mark on all but the last.

    >>> list(_varint(1)), list(_varint(300))
    ([1], [172, 2])
    """
    marked = []
    while number >= _MARK:
        marked.append(number % _MARK + _MARK)
        number //= _MARK
    return bytes([*marked, number])


def _list_of(field: FieldDescriptor, column: Sequence[Any]) -> Sequence[Any]:
    if field.type != FieldDescriptor.TYPE_FLOAT:
        return column
    return [math.nan if value is None else value for value in column]


def export_message(export: Export) -> artifact_pb2.ExportLink:
    """Return the address of an export."""
    return artifact_pb2.ExportLink(
        format="parquet",
        url=export.url,
        filename=export.filename,
        expires_at=to_timestamp(export.expires_at),
        size_bytes=export.size_bytes,
        sha256=export.sha256,
        rows=export.rows,
    )


def export_json(export: Export) -> Iterator[HttpBody]:
    """Yield the address of an export as JSON."""
    yield HttpBody(content_type=_JSON, data=orjson.dumps(documented(export_message(export))))


def file_parts(parts: Iterable[bytes]) -> Iterator[HttpBody]:
    """Yield a file's bytes; the first part says that they are no text."""
    content_type = "application/octet-stream"
    for part in parts:
        yield HttpBody(content_type=content_type, data=part)
        content_type = ""
