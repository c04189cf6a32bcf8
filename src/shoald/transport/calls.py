"""Reads from a call what is not in its message: who calls, through which door, and how long they will wait.

Headers of an answer are collected here while a servicer runs, and sent at once before the answer.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import grpc

from shoald.domain.records.api_key import ApiKey

_PATH, _METHOD = "x-envoy-original-path", "x-envoy-original-method"
_headers: ContextVar[list[tuple[str, str]] | None] = ContextVar("headers", default=None)
_key: ContextVar[ApiKey | None] = ContextVar("key", default=None)
_named_namespace: ContextVar[str | None] = ContextVar("named_namespace", default=None)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def metadata_of(context: grpc.ServicerContext, key: str) -> str | None:
    """Return one value of the call's metadata, or None."""
    for name, value in context.invocation_metadata() or ():
        if name == key:
            return value if isinstance(value, str) else value.decode("latin-1")
    return None


def is_json(context: grpc.ServicerContext) -> bool:
    """Say whether the call came as JSON through Envoy, whose first filter removes what a caller might forge."""
    return metadata_of(context, _PATH) is not None


def http_request(context: grpc.ServicerContext) -> tuple[str, str] | None:
    """Return the HTTP method and path of a JSON call, without its query; None for a typed call."""
    path = metadata_of(context, _PATH)
    return None if path is None else (metadata_of(context, _METHOD) or "POST", urlsplit(path).path)


def query_parameter(context: grpc.ServicerContext, name: str) -> str | None:
    """Return the last value of a query parameter of a JSON call, or None."""
    values = parse_qs(urlsplit(metadata_of(context, _PATH) or "").query).get(name)
    return values[-1] if values else None


def requested_namespace(context: grpc.ServicerContext) -> str | None:
    """Return the namespace, id or name, that a caller names: in the request itself (its path, as a rule), else by the
    header `x-namespace`, else by `?namespace=`, else None.
    """
    named = _named_namespace.get()
    return named or metadata_of(context, "x-namespace") or query_parameter(context, "namespace") or None


def keep_key(key: ApiKey | None, namespace: str | None) -> None:
    """Keep the key of the present call, and the namespace that its request names."""
    _key.set(key)
    _named_namespace.set(namespace)


def key_of_call() -> ApiKey | None:
    """Return the key of the present call; None where keys are off."""
    return _key.get()


def request_id_of(context: grpc.ServicerContext) -> str:
    """Return the id that Envoy gave the request, or nothing when there is none that may stand in a log."""
    given = metadata_of(context, "x-request-id") or ""
    return given if _REQUEST_ID.fullmatch(given) else ""


def caller_address(context: grpc.ServicerContext) -> str:
    """Return where a call comes from, as Envoy saw it; the peer's own address for calls past Envoy."""
    # callers may send the header too: only the last address is Envoy's own
    forwarded = (metadata_of(context, "x-forwarded-for") or "").rpartition(",")[2].strip()
    return forwarded or context.peer()


def seconds_left(context: grpc.ServicerContext, *, at_most: float) -> float:
    """Return how long the caller will wait, never more than `at_most`; a caller without a deadline gets that."""
    remaining = context.time_remaining()
    return at_most if remaining is None else max(0.0, min(remaining, at_most))


def begin_headers() -> list[tuple[str, str]]:
    """Start collecting the headers of the present call's answer, and return the collection."""
    collected: list[tuple[str, str]] = []
    _headers.set(collected)
    return collected


def answer_header(name: str, value: str) -> None:
    """Add a header to the answer of the present unary call; JSON clients see it as an HTTP header."""
    collected = _headers.get()
    if collected is not None:
        collected.append((name, value))


def answer_null() -> None:
    """Make the JSON body of the present unary call `null`; return an empty message beside it."""
    answer_header("x-null-body", "1")


def answer_nothing() -> None:
    """Make the present unary call's answer to JSON clients a 204 without a body; return an empty message beside it."""
    answer_header("x-no-content", "1")


@dataclass(slots=True)
class Outcome:
    """What the log says of how a call ended."""

    failure_code: str | None = None
    status: str = "OK"
    http_status: int = 200


_outcome: ContextVar[Outcome | None] = ContextVar("outcome", default=None)


def begin_outcome() -> Outcome:
    """Start noting how the present call ends."""
    outcome = Outcome()
    _outcome.set(outcome)
    return outcome


def note_failure(code: str, status: str, http_status: int) -> None:
    """Note the failure that the present call ends with."""
    outcome = _outcome.get()
    if outcome is not None:
        outcome.failure_code, outcome.status, outcome.http_status = code, status, http_status
