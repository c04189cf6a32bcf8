"""Forms the answers that Envoy makes itself, so that they too have the documented bodies of their family."""

from __future__ import annotations

import re
from typing import Any

Json = dict[str, Any]

# the clusters API begins here; everything else answers as the RAG API does
_CLUSTERS = "/v1/"
_SEEN_BY_LUA: Json = {"name": "x-shoal-json", "present_match": True}


def local_replies(paths: list[Json], max_json_bytes: int, max_upload_bytes: int) -> Json:
    """Return the mappers, first match first."""
    fixed = [
        (400, "bad_request", "BadRequestError", "The request is no HTTP that can be served."),
        # over HTTP/1.0 a client could not see that an answer was broken off
        (426, "bad_request", "BadRequestError", "Call over HTTP/1.1 or HTTP/2."),
        (413, "request_too_large", "PayloadTooLargeError", _limits(max_json_bytes, max_upload_bytes)),
        (429, "too_many_requests", "TooManyRequestsError", "Too many requests; try again shortly."),
        (403, "permission_denied", "ForbiddenError", "Pages of this origin may not call."),
        (431, "request_too_large", "PayloadTooLargeError", "The request's headers are too large."),
        (408, "deadline_exceeded", "TimeoutError", "The request was not sent in time."),
        (500, "internal_error", "InternalServerError", "The answer could not be written."),
        (502, "unavailable", "ServiceUnavailableError", "The server's answer was broken off."),
        (503, "unavailable", "ServiceUnavailableError", "The server is not available; try again shortly."),
        (504, "deadline_exceeded", "TimeoutError", "The work was not done in time."),
    ]
    return {
        "mappers": [
            _as_it_is_over_grpc(),
            *_wrong_methods(paths),
            _mapper(404, _clusters_body(404, "NotFoundError", "not_found", "There is no such path."), family=_CLUSTERS),
            _mapper(404, {"detail": "Not Found"}),
            _refused_by_the_transcoder(),
            *(_mapper(s, _clusters_body(s, kind, code, text), family=_CLUSTERS) for s, code, kind, text in fixed),
            *(_mapper(s, _rag_body(code, text)) for s, code, _, text in fixed),
        ]
    }


def _limits(max_json_bytes: int, max_upload_bytes: int) -> str:
    return f"The request is too large: JSON may have {max_json_bytes} bytes, an upload {max_upload_bytes}."


def _rag_body(code: str, message: str) -> Json:
    return {"detail": {"code": code, "message": message, "detail": {}, "hint": None}}


def _clusters_body(status: int, kind: str, code: str, message: str) -> Json:
    error = {"message": message, "type": kind, "code": code, "details": {}}
    return {"success": False, "status": status, "error": error}


def _status_is(status: int) -> Json:
    value = {"default_value": status, "runtime_key": f"shoal.local_reply_{status}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def _path_is(match: Json) -> Json:
    """Match the path that the caller sent: in `:path` before the transcoder, kept in a header of its own after it."""
    names = (":path", "x-envoy-original-path")
    return {
        "or_filter": {"filters": [{"header_filter": {"header": {"name": n, "string_match": match}}} for n in names]}
    }


def _mapper(status: int, body: Json, *, family: str = "") -> Json:
    filters = [_status_is(status)]
    if family:
        filters.append(_path_is({"prefix": family}))
    mapper: Json = {
        "filter": {"and_filter": {"filters": filters}} if len(filters) > 1 else filters[0],
        "body_format_override": {"json_format": body},
    }
    if status in {429, 503}:
        mapper["headers_to_add"] = [_header("retry-after", "1")]
    return mapper


def _header(name: str, value: str) -> Json:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _as_it_is_over_grpc() -> Json:
    """Leave what Envoy tells callers by gRPC: its own words, which become the status message."""
    # a JSON call has that type too once it is transcoded, but the Lua filter's mark beside it
    kind = {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
    headers = (kind, {**_SEEN_BY_LUA, "invert_match": True})
    return {
        "filter": {"and_filter": {"filters": [{"header_filter": {"header": header}} for header in headers]}},
        "body_format_override": {"text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"}},
    }


def _refused_by_the_transcoder() -> Json:
    """Pass the reason on to the Lua filter, which makes the documented list of it."""
    seen = {"header_filter": {"header": _SEEN_BY_LUA}}
    return {
        "filter": {"and_filter": {"filters": [_status_is(400), seen]}},
        "headers_to_add": [_header("x-local-reply", "%RESPONSE_CODE_DETAILS%")],
        "body_format_override": {"text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"}},
    }


def _alternatives(paths: list[Json]) -> str:
    return "|".join(path["pattern"] for path in paths)


def _wrong_methods(paths: list[Json]) -> list[Json]:
    """Return a mapper for each set of methods: a known path that reaches no method was asked with another one."""
    by_methods: dict[tuple[str, ...], list[Json]] = {}
    for path in paths:
        by_methods.setdefault(tuple(path["methods"]), []).append(path)
    mappers = []
    for methods, group in sorted(by_methods.items()):
        for family in (_CLUSTERS, ""):
            chosen = [path for path in group if path["path"].startswith(_CLUSTERS) == bool(family)]
            if chosen:
                mappers.append(_wrong_method(chosen, methods, family))
    return mappers


def _wrong_method(paths: list[Json], methods: tuple[str, ...], family: str) -> Json:
    rag = {"detail": "Method Not Allowed"}
    clusters = _clusters_body(405, "MethodNotAllowedError", "method_not_allowed", "Method Not Allowed")
    pattern = rf"(?:{_alternatives(paths)})/?(?:\?.*)?"
    return {
        "filter": {"and_filter": {"filters": [_status_is(404), _path_is({"safe_regex": {"regex": pattern}})]}},
        "status_code": 405,
        "headers_to_add": [_header("allow", ", ".join(methods))],
        "body_format_override": {"json_format": clusters if family else rag},
    }


def trailing_slash_route(paths: list[Json], transcoder: str, off: Json) -> Json:
    """Return the route that sends a known path with a slash too many to the path without it."""
    known = _alternatives([path for path in paths if path["path"] != "/"])
    return {
        "match": {"safe_regex": {"regex": f"(?:{known})/"}},
        "redirect": {
            "regex_rewrite": {"pattern": {"regex": "(.*)/"}, "substitution": r"\1"},
            "response_code": "TEMPORARY_REDIRECT",
        },
        "typed_per_filter_config": {transcoder: off},
    }


def is_known(paths: list[Json], path: str) -> bool:
    """Say whether a path is one of the contract's."""
    return any(re.fullmatch(known["pattern"], path) for known in paths)
