"""Answers JSON requests without Envoy and without a socket: the contract's bindings, our interceptors, grpcio-testing.

What Envoy does is done here once more, in plain Python: a golden file that passes both ways says that neither is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import grpc
import grpc_testing
from google.api import httpbody_pb2
from google.protobuf import json_format, message_factory
from google.protobuf.message import Message

from contract.contracts import methods
from contract.player import HttpAnswer
from shoald.transport.http_bindings import http_rule, template_pattern
from shoald.transport.interceptors.failures import Failures
from shoald.transport.interceptors.json_form import JsonForm
from shoald.transport.interceptors.key_check import KeyCheck
from shoald.transport.interceptors.method_interceptor import MethodInterceptor
from shoald.transport.interceptors.request_log import RequestLog
from shoald.transport.interceptors.validation import Validation
from shoald.transport.json_values import documented
from shoald.transport.servicers.registration import REGISTRATIONS

_PIECE = 256 * 1024


class AnsweredByEnvoy(Exception):  # noqa: N818 - it says what is the case
    """A request that never reaches a server: Envoy answers it."""


@dataclass(frozen=True)
class Route:
    """One HTTP form of a method, as a pattern with the path's variables as groups."""

    verb: str
    pattern: re.Pattern[str]
    variables: tuple[str, ...]
    body: str
    method: Any


def routes() -> Iterator[Route]:
    for method in methods():
        main = http_rule(method)
        if main is None:
            continue
        for rule in (main, *main.additional_bindings):
            verb = rule.WhichOneof("pattern")
            template = getattr(rule, verb)
            variables = tuple(re.findall(r"\{([^}=]+)", template))
            pattern = re.compile(template_pattern(template).replace("[^/]+", "([^/]+)"))
            yield Route(verb.upper(), pattern, variables, rule.body, method)


ROUTES = sorted(routes(), key=lambda route: len(route.variables))


class InProcess:
    """Sends requests to the servicers of a set of use cases."""

    def __init__(self, use_cases: Any) -> None:
        chain: list[MethodInterceptor] = [
            RequestLog(),
            Failures(),
            KeyCheck(use_cases.access),
            JsonForm(),
            Validation(),
        ]
        self._trailers: dict[str, str] = {}
        servicers = {r.service: _Wrapped(r.service, r.make(use_cases), chain, self._trailers) for r in REGISTRATIONS}
        self._server = grpc_testing.server_from_dictionary(servicers, grpc_testing.strict_real_time())
        self._names = {service.full_name: service for service in servicers}

    def send(self, verb: str, path: str, headers: Mapping[str, str], body: bytes | None) -> HttpAnswer:
        """Answer one request."""
        url = urlsplit(path)
        route, values = _route(verb, url.path)
        request = _request(route, values, dict(parse_qsl(url.query, keep_blank_values=True)), headers, body or b"")
        metadata = (
            *((name.lower(), value) for name, value in headers.items() if not name.lower().startswith("content-")),
            ("x-envoy-original-path", path),
            ("x-envoy-original-method", verb),
            ("x-forwarded-for", "127.0.0.1"),
        )
        service = self._names[route.method.containing_service.full_name]
        return self._call(service.methods_by_name[route.method.name], request, metadata)

    def _call(self, method: Any, request: list[Message], metadata: tuple[tuple[str, str], ...]) -> HttpAnswer:
        if method.client_streaming:
            rpc = self._server.invoke_stream_unary(method, metadata, None)
            for message in request:
                rpc.send_request(message)
            rpc.requests_closed()
        elif method.server_streaming:
            rpc = self._server.invoke_unary_stream(method, metadata, request[0], None)
            return self._streamed(rpc)
        else:
            rpc = self._server.invoke_unary_unary(method, metadata, request[0], None)
        answer, _, code, details = rpc.termination()
        if code is not grpc.StatusCode.OK:
            return _failed(self._trailers, code, details)
        return _answered(answer, dict(rpc.initial_metadata() or ()))

    def _streamed(self, rpc: Any) -> HttpAnswer:
        pieces: list[httpbody_pb2.HttpBody] = []
        while True:
            try:
                pieces.append(rpc.take_response())
            except ValueError:  # nothing more comes
                break
        _, code, details = rpc.termination()
        if code is not grpc.StatusCode.OK:
            return _failed(self._trailers, code, details)
        kind = pieces[0].content_type if pieces else "application/json"
        return HttpAnswer(200, {"content-type": kind}, b"".join(piece.data for piece in pieces))


def _route(verb: str, path: str) -> tuple[Route, dict[str, str]]:
    for route in ROUTES:
        match = route.pattern.fullmatch(path)
        if match and route.verb == verb:
            return route, dict(zip(route.variables, map(unquote, match.groups()), strict=True))
    raise AnsweredByEnvoy(f"{verb} {path} is bound to no call")


def _request(
    route: Route, values: dict[str, str], query: dict[str, str], headers: Mapping[str, str], body: bytes
) -> list[Message]:
    make = message_factory.GetMessageClass(route.method.input_type)
    message = make()
    try:
        if route.method.client_streaming:
            return list(_pieces(make, route, values, headers, body))
        if route.body:
            _parse_body(message, route.body, body)
        for name, value in (query | values).items():
            if name in message.DESCRIPTOR.fields_by_name:
                json_format.ParseDict({name: _of_query(message, name, value)}, message)
    except (json_format.ParseError, ValueError) as error:
        raise AnsweredByEnvoy(f"the transcoder refuses it: {error}") from None
    return [message]


def _parse_body(message: Message, field: str, body: bytes) -> None:
    parsed = json.loads(body) if body.strip() else {}
    if not isinstance(parsed, dict):
        raise ValueError("the root is no object")  # noqa: TRY004 - the caller's one kind of error
    wrapped = parsed if field == "*" else {field: parsed}
    json_format.ParseDict(wrapped, message, ignore_unknown_fields=True)


def _of_query(message: Message, name: str, value: str) -> Any:
    field = message.DESCRIPTOR.fields_by_name[name]
    if field.type == field.TYPE_BOOL:
        return value.lower() in {"true", "1"}
    return [value] if field.is_repeated else value


def _pieces(
    make: Any, route: Route, values: dict[str, str], headers: Mapping[str, str], body: bytes
) -> Iterator[Message]:
    kind = {name.lower(): value for name, value in headers.items()}.get("content-type", "")
    for start in range(0, max(1, len(body)), _PIECE):
        file = httpbody_pb2.HttpBody(data=body[start : start + _PIECE])
        if start == 0:
            file.content_type = kind
        yield make(**{route.body: file, **(values if start == 0 else {})})


def _failed(found: Mapping[str, str], code: grpc.StatusCode, details: str) -> HttpAnswer:
    if "x-error-body" not in found:
        raise AssertionError(f"{code}: {details}: no body for JSON callers")
    headers = {"content-type": "application/json"}
    if "retry-after" in found:
        headers["retry-after"] = found["retry-after"]
    return HttpAnswer(int(found["x-http-status"]), headers, found["x-error-body"].encode())


def _answered(answer: Message, headers: dict[str, str]) -> HttpAnswer:
    if isinstance(answer, httpbody_pb2.HttpBody):
        return HttpAnswer(200, {"content-type": answer.content_type}, answer.data)
    if "x-no-content" in headers:
        return HttpAnswer(204, {}, b"")
    body = None if "x-null-body" in headers else documented(answer)
    return HttpAnswer(200, {"content-type": "application/json", **headers}, json.dumps(body).encode())


class _Wrapped:
    """A servicer whose methods run inside our interceptors, as they do in the real server."""

    def __init__(self, service: Any, servicer: Any, chain: list[MethodInterceptor], trailers: dict[str, str]) -> None:
        for method in service.methods:
            path = f"/{service.full_name}/{method.name}"
            handler = _handler(method, getattr(servicer, method.name))
            for interceptor in reversed(chain):
                handler = interceptor.wrap(path, handler)
            setattr(self, method.name, _recorded(handler, trailers))


def _handler(method: Any, behaviour: Any) -> Any:
    kind = ("stream" if method.client_streaming else "unary") + "_" + ("stream" if method.server_streaming else "unary")
    request = message_factory.GetMessageClass(method.input_type)
    return getattr(grpc, f"{kind}_rpc_method_handler")(behaviour, request_deserializer=request.FromString)


def _behaviour(handler: Any) -> Any:
    return handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream


def _recorded(handler: Any, trailers: dict[str, str]) -> Any:
    """Read each request from its bytes, and keep the trailers, which grpcio-testing forgets when a call is aborted."""
    behaviour, read = _behaviour(handler), handler.request_deserializer

    def answer(request: Any, context: Any) -> Any:
        if isinstance(request, Message):
            given: Any = read(request.SerializeToString())
        else:
            given = (read(piece.SerializeToString()) for piece in request)
        return behaviour(given, _Context(context, trailers))

    return answer


class _Context:
    """A context that notes its trailers; everything else is the real one's."""

    def __init__(self, context: Any, trailers: dict[str, str]) -> None:
        self._context, self._trailers = context, trailers
        trailers.clear()

    def set_trailing_metadata(self, trailers: Any) -> None:
        self._trailers.update(trailers)
        self._context.set_trailing_metadata(trailers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)
