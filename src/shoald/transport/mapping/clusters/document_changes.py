"""Changes and deletions of documents as messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shoal.clusters.v1 import collection_document_service_pb2 as pb

from shoald.application.document_changing import Outcome
from shoald.domain.failures import InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.transport.json_values import plain_object

_EITHER = "either {one}, or {other}; not both"


def updates_of(request: pb.BatchUpdateDocumentsRequest) -> list[tuple[str, JsonObject]] | None:
    """Return what changes in which document, None where a filter says it; both or neither is `InvalidFields`."""
    by_filter = request.HasField("filters") or request.HasField("update_data")
    if bool(request.updates) == by_filter:
        message = _EITHER.format(one="updates", other="filters and update_data")
        raise InvalidFields.field("body", "updates", message=message)
    if by_filter:
        for name in ("filters", "update_data"):
            if not request.HasField(name):
                raise InvalidFields.field("body", name, message="Field required", kind="missing")
        return None
    return [(one.document_id, plain_object(one.update_data)) for one in request.updates]


def ids_of(request: pb.BatchDeleteDocumentsRequest) -> Sequence[str] | None:
    """Return which documents are deleted, None where a filter says it; both or neither is `InvalidFields`."""
    if bool(request.document_ids) == request.HasField("filters"):
        message = _EITHER.format(one="document_ids", other="filters")
        raise InvalidFields.field("body", "document_ids", message=message)
    return list(request.document_ids) or None


def updated_message(outcomes: Sequence[Outcome]) -> pb.BatchUpdateDocumentsResponse:
    """Return what became of changes by id."""
    done = sum(one.error is None for one in outcomes)
    return pb.BatchUpdateDocumentsResponse(
        updated_count=done,
        failed_count=len(outcomes) - done,
        results=_outcomes(outcomes),
        message=f"{done} of {len(outcomes)} documents were updated.",
    )


def deleted_message(outcomes: Sequence[Outcome]) -> pb.BatchDeleteDocumentsResponse:
    """Return what became of deletions by id."""
    done = sum(one.error is None for one in outcomes)
    return pb.BatchDeleteDocumentsResponse(
        deleted_count=done,
        failed_count=len(outcomes) - done,
        results=_outcomes(outcomes),
        message=f"{done} of {len(outcomes)} documents were deleted.",
    )


def _outcomes(outcomes: Iterable[Outcome]) -> list[pb.DocumentOutcome]:
    return [
        pb.DocumentOutcome(document_id=one.document_id, success=one.error is None, error=one.error) for one in outcomes
    ]
