"""Describes errors in the OpenAPI documents: both families' envelopes, an example for every code that an rpc names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shoald.domain import failures
from shoald.domain.failures import Failure, FieldProblem, InvalidFields
from shoald.transport.error_bodies import Family, json_body
from shoald.transport.failure_table import answer_to

Json = dict[str, Any]
_CODE = re.compile(r"`([a-z_]+)`")

_PROBLEM: Json = {
    "type": "object",
    "title": "ValidationError",
    "required": ["type", "loc", "msg"],
    "properties": {
        "type": {"type": "string"},
        "loc": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
        "msg": {"type": "string"},
        "input": {},
        "ctx": {"type": "object"},
    },
}
_RAG: Json = {
    "ErrorEnvelope": {
        "type": "object",
        "title": "ErrorEnvelope",
        "required": ["detail"],
        "properties": {
            "detail": {
                "type": "object",
                "required": ["code", "message", "detail", "hint"],
                "properties": {
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                    "detail": {"type": "object", "additionalProperties": True},
                    "hint": {"type": ["string", "null"]},
                },
            }
        },
    },
    "ValidationError": _PROBLEM,
    "HTTPValidationError": {
        "type": "object",
        "title": "HTTPValidationError",
        "required": ["detail"],
        "properties": {"detail": {"type": "array", "items": {"$ref": "#/components/schemas/ValidationError"}}},
    },
}
_ERROR: Json = {
    "type": "object",
    "title": "ErrorDetail",
    "required": ["message", "type"],
    "properties": {
        "message": {"type": "string"},
        "type": {"type": "string"},
        "code": {"type": ["string", "null"]},
        "details": {"type": ["object", "null"], "additionalProperties": True},
    },
}
_ENVELOPE: Json = {
    "type": "object",
    "title": "ErrorResponse",
    "required": ["status", "error"],
    "properties": {
        "success": {"type": "boolean", "const": False},
        "status": {"type": "integer"},
        "error": {"$ref": "#/components/schemas/ErrorDetail"},
    },
}
_CLUSTERS: Json = {
    "ErrorDetail": _ERROR,
    "ErrorResponse": _ENVELOPE,
    "ValidationError": _PROBLEM,
    "ValidationErrorResponse": {
        "title": "ValidationErrorResponse",
        "allOf": [
            {"$ref": "#/components/schemas/ErrorResponse"},
            {
                "type": "object",
                "required": ["detail"],
                "properties": {"detail": {"type": "array", "items": {"$ref": "#/components/schemas/ValidationError"}}},
            },
        ],
    },
}
_NAMES = {
    Family.RAG: ("ErrorEnvelope", "HTTPValidationError"),
    Family.CLUSTERS: ("ErrorResponse", "ValidationErrorResponse"),
}


def error_schemas(family: Family, prefix: str) -> Json:
    """Return the components of a family's errors, under the prefix that all its components have."""
    text = json.dumps(_RAG if family is Family.RAG else _CLUSTERS)
    renamed = text.replace("#/components/schemas/", f"#/components/schemas/{prefix}")
    return {prefix + name: schema for name, schema in json.loads(renamed).items()}


def _leaves(kind: type[Failure]) -> Iterable[type[Failure]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _leaves(narrower)


BY_CODE: dict[str, type[Failure]] = {kind.code: kind for kind in _leaves(Failure)}


_EXAMPLES: dict[str, dict[str, Json]] = json.loads(
    Path(__file__).with_name("openapi_details.json").read_text(encoding="utf-8")
)["errors"]


def _example(kind: type[Failure], family: Family) -> Failure:
    """Return a failure as the golden files have it; those of every day need no more than their own words."""
    if kind is InvalidFields:
        return InvalidFields([FieldProblem(("body", "name"), "missing", "Field required", {})])
    return kind(**_EXAMPLES[family.value].get(kind.code, {}))


def codes_in(comment: str) -> list[str]:
    """Return the failure codes that an rpc's comment names, in its order."""
    return [code for code in dict.fromkeys(_CODE.findall(comment)) if code in BY_CODE]


def error_responses(comment: str, family: Family, prefix: str) -> Json:
    """Return the error answers of an rpc: those that its comment names, 422 and 500 besides."""
    codes = [*codes_in(comment), failures.InvalidFields.code, failures.Broken.code]
    by_status: dict[int, list[Failure]] = {}
    for code in dict.fromkeys(codes):
        failure = _example(BY_CODE[code], family)
        by_status.setdefault(answer_to(failure).http_status, []).append(failure)
    return {str(status): _response(found, family, prefix) for status, found in sorted(by_status.items())}


def _response(found: list[Failure], family: Family, prefix: str) -> Json:
    usual, validation = _NAMES[family]
    name = validation if isinstance(found[0], InvalidFields) else usual
    examples = {failure.code: {"value": json.loads(json_body(failure, family))} for failure in found}
    content = {"schema": {"$ref": f"#/components/schemas/{prefix}{name}"}, "examples": examples}
    described = ", ".join(f"`{failure.code}`" for failure in found)
    return {
        "description": f"{found[0].message if len(found) == 1 else 'One of'} ({described})",
        "content": {"application/json": content},
    }
