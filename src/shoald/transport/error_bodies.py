"""Turns a failure into the JSON body that each API documents, and into the details that typed clients read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from shoald.domain.failures import Busy, Failure, FieldProblem, InvalidFields, Unavailable
from shoald.transport.failure_table import Answer, answer_to

# Envoy takes 60 KiB of headers; a body that travels as one keeps well below
_LARGEST_BODY = 32 * 1024
# grpc clients refuse more than 8 KiB of metadata
_MOST_VIOLATIONS = 10
_LONGEST_TEXT = 120


class Family(Enum):
    """The documented API that a call belongs to, which decides the form of its errors."""

    RAG = "rag"
    CLUSTERS = "clusters"

    @classmethod
    def of_method(cls, method: str) -> Family:
        """Return the family of a gRPC path such as `/shoal.rag.v1.ProjectService/GetProject`."""
        return cls.CLUSTERS if method.startswith("/shoal.clusters.") else cls.RAG


def _listed(problem: FieldProblem, *, with_input: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": problem.kind, "loc": list(problem.loc), "msg": problem.message}
    entry["input"] = problem.input if with_input else None
    return entry


def _problems(failure: InvalidFields, *, with_input: bool) -> list[dict[str, Any]]:
    return [_listed(problem, with_input=with_input) for problem in failure.problems]


def _rag_body(failure: Failure, *, with_input: bool) -> dict[str, Any]:
    if isinstance(failure, InvalidFields):
        return {"detail": _problems(failure, with_input=with_input)}
    detail = {"code": failure.code, "message": failure.message, "detail": failure.detail, "hint": failure.hint}
    return {"detail": detail}


def _clusters_body(failure: Failure, answer: Answer, *, with_input: bool) -> dict[str, Any]:
    details: dict[str, Any] = dict(failure.detail)
    body: dict[str, Any] = {"success": False, "status": answer.http_status}
    if isinstance(failure, InvalidFields):
        details["validation_errors"] = [
            {"type": p.kind, "location": list(p.loc), "message": p.message} for p in failure.problems
        ]
        body["detail"] = _problems(failure, with_input=with_input)
    if failure.hint:
        details["hint"] = failure.hint
    body["error"] = {
        "message": failure.message,
        "type": answer.error_type,
        "code": failure.code,
        "details": details,
    }
    return body


def _body(failure: Failure, family: Family, *, with_input: bool) -> dict[str, Any]:
    if family is Family.RAG:
        return _rag_body(failure, with_input=with_input)
    return _clusters_body(failure, answer_to(failure), with_input=with_input)


def json_body(failure: Failure, family: Family) -> str:
    """Return the documented body as ASCII JSON; one that no header holds loses its `input`, then its details."""
    for with_input in (True, False):
        text = _dump_within(_LARGEST_BODY, _body(failure, family, with_input=with_input))
        if text is not None:
            return text
    return _dump(_body(_shortened(failure), family, with_input=False))


def _shortened(failure: Failure) -> Failure:
    if isinstance(failure, InvalidFields):
        short: Failure = InvalidFields([_short_problem(problem) for problem in failure.problems[:_MOST_VIOLATIONS]])
    else:
        short = Failure()
        short.__class__ = type(failure)
    short.message = failure.message[:_LONGEST_TEXT]
    return short


def _short_problem(problem: FieldProblem) -> FieldProblem:
    loc = tuple(part[:_LONGEST_TEXT] if isinstance(part, str) else part for part in problem.loc[:16])
    return FieldProblem(loc, problem.kind, problem.message[:_LONGEST_TEXT])


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=str)


def _dump(body: Mapping[str, Any]) -> str:
    return _ENCODER.encode(body)


def _dump_within(largest: int, body: Mapping[str, Any]) -> str | None:
    """Return the JSON, or `None` as soon as it is longer: an `input` may be as large as the request was."""
    parts, length = [], 0
    for part in _ENCODER.iterencode(body):
        length += len(part)
        if length > largest:
            return None
        parts.append(part)
    return "".join(parts)


def status_of(failure: Failure) -> status_pb2.Status:
    """Return the status with the details that typed clients read: ErrorInfo, BadRequest, RetryInfo."""
    code = answer_to(failure).status.value[0]
    status = status_pb2.Status(code=code, message=failure.message[:1024])
    for detail in _details(failure):
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _details(failure: Failure) -> Iterable[Any]:
    metadata = {key: str(value)[:_LONGEST_TEXT] for key, value in list(failure.detail.items())[:16]}
    if failure.hint:
        metadata["hint"] = failure.hint[:_LONGEST_TEXT]
    yield error_details_pb2.ErrorInfo(reason=failure.code.upper(), domain="shoal", metadata=metadata)
    if isinstance(failure, InvalidFields):
        yield error_details_pb2.BadRequest(
            field_violations=[_violation(problem) for problem in failure.problems[:_MOST_VIOLATIONS]]
        )
    if isinstance(failure, (Busy, Unavailable)):
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(int(failure.retry_after_seconds * 1000))
        yield error_details_pb2.RetryInfo(retry_delay=delay)


def _violation(problem: FieldProblem) -> error_details_pb2.BadRequest.FieldViolation:
    where = problem.loc[1:] if problem.loc[:1] in {("body",), ("query",), ("path",)} else problem.loc
    return error_details_pb2.BadRequest.FieldViolation(
        field=".".join(map(str, where))[:_LONGEST_TEXT],
        description=problem.message[:_LONGEST_TEXT],
        reason=problem.kind.upper(),
    )
