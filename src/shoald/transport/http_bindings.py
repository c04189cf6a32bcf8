"""Says where each field of a JSON request stood: in the path, the query or the body."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from shoal.options.v1 import options_pb2

_HTTP: tuple[Any, ...] = (annotations_pb2.http, options_pb2.streamed_http)  # google's stubs do not know what it extends
_VARIABLE = re.compile(r"\{([^}=]+)(?:=([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class HttpBinding:
    """One HTTP form of a method."""

    http_method: str
    pattern: re.Pattern[str]
    path_fields: frozenset[str]
    body: str

    def place_of(self, field: str) -> str:
        """Return `path`, `query` or `body` for a top-level field."""
        if field in self.path_fields:
            return "path"
        return "body" if self.body in {"*", field} else "query"


def template_pattern(template: str) -> str:
    """Return the regular expression of a path template: `/v1/{id}` becomes `/v1/[^/]+`.

    >>> template_pattern("/v1/clusters/{id}/execute")
    '/v1/clusters/[^/]+/execute'
    """
    pieces, end = [], 0
    for variable in _VARIABLE.finditer(template):
        pieces.append(re.escape(template[end : variable.start()]))
        segments = variable.group(2) or "*"
        pieces.append(re.escape(segments).replace(r"\*\*", ".*").replace(r"\*", "[^/]+"))
        end = variable.end()
    return "".join([*pieces, re.escape(template[end:])])


def _binding(rule: http_pb2.HttpRule) -> HttpBinding:
    verb = rule.WhichOneof("pattern") or ""
    template = rule.custom.path if verb == "custom" else str(getattr(rule, verb))
    method = rule.custom.kind if verb == "custom" else verb.upper()
    fields = frozenset(match.group(1) for match in _VARIABLE.finditer(template))
    return HttpBinding(method, re.compile(template_pattern(template) + "/?"), fields, rule.body)


@cache
def method_descriptor(path: str) -> MethodDescriptor | None:
    """Return the descriptor of a gRPC path, or None for a method whose file is not loaded."""
    service, _, method = path.removeprefix("/").partition("/")
    try:
        found = descriptor_pool.Default().FindServiceByName(service)
    except KeyError:
        return None
    return found.methods_by_name.get(method)


def http_rule(method: MethodDescriptor) -> http_pb2.HttpRule | None:
    """Return how a method is bound to HTTP, be it by `google.api.http` or by our form of it for streams."""
    options = method.GetOptions()
    found = next((extension for extension in _HTTP if options.HasExtension(extension)), None)
    return None if found is None else options.Extensions[found]


@cache
def bindings_of(path: str) -> tuple[HttpBinding, ...]:
    """Return the HTTP forms of a gRPC path, the main one first."""
    method = method_descriptor(path)
    rule = http_rule(method) if method is not None else None
    if rule is None:
        return ()
    return (_binding(rule), *(_binding(more) for more in rule.additional_bindings))


def binding_for(path: str, http_request: tuple[str, str] | None) -> HttpBinding | None:
    """Return the form in which a JSON request came, or None for a typed call."""
    if http_request is None:
        return None
    method, url = http_request
    forms = bindings_of(path)
    fitting = (form for form in forms if form.http_method == method and form.pattern.fullmatch(url))
    return next(fitting, forms[0] if forms else None)
