"""Questions about runs over time, and their answers as typed messages and as JSON written in parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import orjson
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.timestamp_pb2 import Timestamp
from shoal.clusters.v1 import history_pb2, history_service_pb2, pagination_pb2

from shoald.application.group_histories import STORED_AT, Answered, HistoryQuestion, NewsPage, NewsQuestion
from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import BucketUnit
from shoald.transport.json_values import documented
from shoald.transport.mapping.clusters.artifacts import in_parts
from shoald.transport.mapping.clusters.times import to_timestamp

_JSON = "application/json"
_UTC = "UTC"
_ROW_FIELDS = tuple(field.name for field in history_pb2.GroupHistoryRow.DESCRIPTOR.fields)
_TIMES = ("starts_at", "ends_at")


def history_question(request: Any) -> HistoryQuestion:
    """Return which history a request asks for."""
    return HistoryQuestion(bucket=request.bucket or BucketUnit.MONTH.value, **_time_question(request))


def news_question(request: history_service_pb2.ListNewDocumentsRequest) -> NewsQuestion:
    """Return what news a request asks for."""
    return NewsQuestion(since=request.since, group=request.in_group or None, **_time_question(request))


def _time_question(request: Any) -> dict[str, Any]:
    return {
        "field": request.field or STORED_AT,
        "time_zone": request.time_zone or _UTC,
        "unit": request.unit or None,
    }


def history_about(answered: Answered) -> history_pb2.GroupHistory:
    """Return a history without its rows."""
    return history_pb2.GroupHistory(
        cluster_id=answered.run.cluster_id,
        run_id=answered.run.run_id,
        bucket=answered.about["bucket"],
        time_zone=answered.about["time_zone"],
        times=_times_read(answered.about["times"]),
        total_rows=answered.file["rows"],
    )


def history_json(answered: Answered, batches: Iterable[Mapping[str, Any]]) -> Iterator[HttpBody]:
    """Yield `GroupHistory` as JSON in parts."""
    return in_parts(_JSON, _history_pieces(answered, batches))


def _history_pieces(answered: Answered, batches: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    body = documented(history_about(answered))
    del body["rows"]
    yield orjson.dumps(body)[:-1] + b',"rows":['
    separator = b""
    for batch in batches:
        shown = {**batch, **{name: [_text(time) for time in batch[name]] for name in _TIMES}}
        columns = [shown[name] for name in _ROW_FIELDS]
        rows = [dict(zip(_ROW_FIELDS, row, strict=True)) for row in zip(*columns, strict=True)]
        yield separator + orjson.dumps(rows)[1:-1]
        separator = b","
    yield b"]}"


def _text(time: datetime) -> str:
    """Return a time as protobuf writes it; stretches begin with whole seconds."""
    return f"{time.replace(tzinfo=None).isoformat()}Z"


def history_lists(batch: Mapping[str, Any]) -> history_service_pb2.StreamGroupHistoryResponse:
    """Return rows of a history as lists; where there is no name, an empty one."""
    seconds = {name: [time.timestamp() for time in batch[name]] for name in _TIMES}
    labels = [label or "" for label in batch["label"]]
    lists = history_pb2.GroupHistoryColumns(**{**batch, **seconds, "label": labels})
    return history_service_pb2.StreamGroupHistoryResponse(rows=len(labels), lists=lists)


def drift_message(answered: Answered, batches: Iterable[Mapping[str, Any]]) -> history_pb2.GroupDrift:
    """Return how the groups of two runs differ."""
    message = history_pb2.GroupDrift(
        cluster_id=answered.run.cluster_id, run_id=answered.run.run_id, **_known(answered.about)
    )
    for batch in batches:
        message.rows.extend(history_pb2.GroupDriftRow(**_known(row)) for row in _rows(batch))
    return message


def news_message(page: NewsPage) -> history_pb2.NewDocuments:
    """Return what is new, with one page of the documents."""
    about = page.answered.about
    return history_pb2.NewDocuments(
        cluster_id=page.answered.run.cluster_id,
        run_id=page.answered.run.run_id,
        since=_timestamp(about["since"]),
        times=_times_read(about["times"]),
        total=about["total"],
        listed=page.answered.file["rows"],
        groups=map(_group, about["groups"]),
        documents=[
            history_pb2.NewDocument(**_known({**row, "at": to_timestamp(row["at"])})) for row in _rows(page.columns)
        ],
        pagination=pagination_pb2.Pagination(
            page=page.offset // page.limit + 1, page_size=page.limit, next_cursor=page.next_cursor
        ),
    )


def _group(row: JsonObject) -> history_pb2.NewInGroup:
    share = row["new_documents"] / row["members"] if row["members"] else 0.0
    return history_pb2.NewInGroup(share=share, **_known(row))


def _times_read(times: JsonObject) -> history_pb2.TimesRead:
    read = {name: _timestamp(times[name]) for name in ("earliest", "latest")}
    return history_pb2.TimesRead(**_known({**times, **read}))


def _timestamp(text: str | None) -> Timestamp | None:
    return None if text is None else to_timestamp(datetime.fromisoformat(text))


def _rows(batch: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for row in zip(*batch.values(), strict=True):
        yield dict(zip(batch, row, strict=True))


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not known."""
    return {key: one for key, one in values.items() if one is not None}
