"""Plays the steps of a golden file against an address: JSON over HTTP/1.1 and gRPC on the same port."""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import select
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from contract.contracts import method_named
from contract.golden_files import GoldenCase
from contract.matching import Captured, Mismatch

_PAUSE_SECONDS = 0.05
_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class HttpAnswer:
    """An answer as it came: status, headers in lower case, and the body's bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes


SendHttp = Callable[[str, str, Mapping[str, str], bytes | None], HttpAnswer]


def http_sender(base_url: str) -> SendHttp:
    """Return what sends a request to an address, its path exactly as given."""
    address = urlsplit(base_url).netloc

    def send(method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> HttpAnswer:
        connection = http.client.HTTPConnection(address, timeout=_TIMEOUT_SECONDS)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            sizes = {} if body is None else {"content-length": str(len(body))}
            for name, value in ({**sizes, **headers}).items():
                connection.putheader(name, value)
            connection.endheaders()
            _send_until_answered(connection.sock, body or b"")
            answer = connection.getresponse()
            return HttpAnswer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    return send


def _send_until_answered(sock: socket.socket, body: bytes) -> None:
    """Send a body, and stop where the answer comes before its end, as it does for one that is too large."""
    rest = memoryview(body)
    sock.setblocking(False)
    while rest:
        readable, writable, _ = select.select([sock], [sock], [], _TIMEOUT_SECONDS)
        if readable or not writable:
            break
        rest = rest[sock.send(rest[:65536]) :]
    sock.settimeout(_TIMEOUT_SECONDS)


@dataclass
class Player:
    """Plays one file; `channel` is None where there is no gRPC beside the JSON. `known` are further values by name."""

    send: SendHttp
    channel: grpc.Channel | None
    known: Mapping[str, str] = field(default_factory=dict)

    def play(self, case: GoldenCase) -> None:
        """Play every step, and raise `Mismatch` with the step's number at the first that is not as expected."""
        captured = Captured({"unique": secrets.token_hex(5), **self.known})
        for number, step in enumerate(case.steps, 1):
            for _ in range(step.get("repeat", 1)):
                self._play_in_time(step, captured, f"step {number}")

    def _play_in_time(self, step: Mapping[str, Any], captured: Captured, where: str) -> None:
        deadline = time.monotonic() + step.get("within_seconds", 0)
        while True:
            try:
                self._play_step(step, captured)
            except Mismatch as mismatch:
                if time.monotonic() >= deadline:
                    raise Mismatch(f"{where} ({step.get('about', _title(step))}): {mismatch}") from None
                time.sleep(_PAUSE_SECONDS)
            else:
                return

    def _play_step(self, step: Mapping[str, Any], captured: Captured) -> None:
        if "grpc" in step:
            if self.channel is not None:
                _play_grpc(self.channel, step, captured)
        else:
            self._play_http(step["request"], step["response"], captured)

    def _play_http(self, request: Mapping[str, Any], expected: Mapping[str, Any], captured: Captured) -> None:
        body, kind = _body_of(captured.fill(dict(request)))
        headers = {**({"content-type": kind} if kind else {}), **_lower(captured.fill(request.get("headers", {})))}
        if body is None and request["method"] in {"POST", "PUT", "PATCH"}:
            headers.setdefault("content-length", "0")
        answer = self.send(request["method"], str(captured.fill(request["path"])), headers, body)
        if answer.status != expected["status"]:
            shown = answer.body[:2000].decode(errors="replace")
            raise Mismatch(f"status {answer.status}, not {expected['status']}: {shown}")
        _match_headers(expected.get("headers", {}), answer.headers, captured)
        if "body" in expected:
            captured.match(expected["body"], _parsed(answer))
        if "text" in expected:
            captured.match(expected["text"], answer.body.decode())


def _title(step: Mapping[str, Any]) -> str:
    return step["grpc"] if "grpc" in step else f"{step['request']['method']} {step['request']['path']}"


def _parsed(answer: HttpAnswer) -> Any:
    if not answer.headers.get("content-type", "").startswith("application/json"):
        raise Mismatch(
            f"content-type {answer.headers.get('content-type')}, not application/json: {answer.body[:500]!r}"
        )
    try:
        return json.loads(answer.body, parse_constant=_no_constant)
    except ValueError as error:
        raise Mismatch(f"no JSON: {error}: {answer.body[:500]!r}") from None


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _match_headers(expected: Mapping[str, Any], found: Mapping[str, str], captured: Captured) -> None:
    for name, value in expected.items():
        if value is None and name.lower() in found:
            raise Mismatch(f"header {name} is there: {found[name.lower()]}")
        if value is not None:
            captured.match(value, found.get(name.lower()), f"header {name}")


def _body_of(request: Mapping[str, Any]) -> tuple[bytes | None, str]:
    if "body" in request:
        return json.dumps(request["body"]).encode(), "application/json"
    if "text" in request:
        return request["text"].encode(), "application/json"
    if "base64" in request:
        return base64.b64decode(request["base64"]), "application/json"
    if "filler" in request:
        return b'{"name":"' + b"x" * (request["filler"]["bytes"] - 11) + b'"}', "application/json"
    if "multipart" in request:
        return _form(request["multipart"])
    return None, ""


def _form(parts: list[Mapping[str, Any]]) -> tuple[bytes, str]:
    boundary = "golden" + secrets.token_hex(8)
    pieces = []
    for part in parts:
        disposition = f'form-data; name="{part["name"]}"'
        if "filename" in part:
            disposition += f'; filename="{part["filename"]}"'
        head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\n"
        if "content_type" in part:
            head += f"Content-Type: {part['content_type']}\r\n"
        pieces.append(head.encode() + b"\r\n" + _part_content(part) + b"\r\n")
    return b"".join(pieces) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _part_content(part: Mapping[str, Any]) -> bytes:
    if "json" in part:
        return json.dumps(part["json"]).encode()
    return base64.b64decode(part["base64"]) if "base64" in part else str(part["text"]).encode()


def _play_grpc(channel: grpc.Channel, step: Mapping[str, Any], captured: Captured) -> None:
    found = _call(channel, step, captured)
    expected = dict(step["answer"])
    captured.match(expected.pop("code"), found["code"], "code")
    if found["code"] != "OK":
        expected.setdefault("text", "<any>")
    for key, value in expected.items():
        captured.match(value, found.get(key), key)


def _call(channel: grpc.Channel, step: Mapping[str, Any], captured: Captured) -> dict[str, Any]:
    method = method_named(step["grpc"])
    request_type = message_factory.GetMessageClass(method.input_type)
    given = step["messages"] if "messages" in step else [step.get("message", {})]
    requests = [json_format.ParseDict(captured.fill(message), request_type()) for message in given]
    metadata = tuple(captured.fill(step.get("metadata", {})).items())
    try:
        answers = list(_answers(channel, method, requests, metadata))
    except grpc.RpcError as error:
        return _failure(error)
    shown = [json_format.MessageToDict(answer, preserving_proto_field_name=True) for answer in answers]
    return {"code": "OK", "messages": shown} if method.server_streaming else {"code": "OK", "message": shown[0]}


def _answers(
    channel: grpc.Channel, method: Any, requests: list[Message], metadata: tuple[tuple[str, str], ...]
) -> Iterator[Message]:
    path = f"/{method.containing_service.full_name}/{method.name}"
    answer_type = message_factory.GetMessageClass(method.output_type)
    kind = ("stream" if method.client_streaming else "unary") + "_" + ("stream" if method.server_streaming else "unary")
    call = getattr(channel, kind)(
        path, request_serializer=lambda m: m.SerializeToString(), response_deserializer=answer_type.FromString
    )
    answer = call(
        iter(requests) if method.client_streaming else requests[0], metadata=metadata, timeout=_TIMEOUT_SECONDS
    )
    yield from answer if method.server_streaming else [answer]


def _failure(error: Any) -> dict[str, Any]:
    failure: dict[str, Any] = {"code": error.code().name, "text": error.details()}
    packed = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    if packed is None:
        return failure
    for detail in status_pb2.Status.FromString(packed).details:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            failure["reason"] = info.reason
        elif detail.Unpack(bad):
            failure["violations"] = [
                {"field": v.field, "description": v.description, "reason": v.reason} for v in bad.field_violations
            ]
    return failure
