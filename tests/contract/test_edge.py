"""Envoy and our gRPC servers together, with servicers that do as they are told: forms, limits, faults."""

# calls of raw bytes and trailers have no types in grpc's stubs
# mypy: disable-error-code="abstract, arg-type, attr-defined, index, var-annotated"

from __future__ import annotations

import http.client
import json
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from urllib.parse import quote

import grpc
import pytest
from google.protobuf import struct_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from shoal.rag.v1 import (
    project_service_pb2,
    project_service_pb2_grpc,
    segment_set_service_pb2,
    segment_set_service_pb2_grpc,
)

from contract.player import HttpAnswer
from contract.trial_services import PART, SECRET, SegmentSets, adder
from support.edge_stack import JSON_LIMIT, UPLOAD_LIMIT, Edge, running_edge

pytestmark = pytest.mark.integration

SETS = SegmentSets()


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with running_edge(tmp_path_factory.mktemp("edge"), adder(SETS)) as running:
        yield running


@pytest.fixture
def channel(edge: Edge) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(edge.address) as opened:
        yield opened


SETTINGS = {
    "default_retrieval_preset": None,
    "default_chunking_preset": None,
    "extra": {"n": 1, "nested": {"nothing": None, "list": []}},
}


def test_unset_fields_are_null_and_numbers_keep_their_kind(edge: Edge) -> None:
    status, body = edge.json("GET", "/api/v1/projects/here")
    assert (status, body["description"], body["settings"]) == (200, None, SETTINGS)
    assert body["created_at"] is None


def test_a_typed_client_sees_no_marks(channel: grpc.Channel) -> None:
    stub = project_service_pb2_grpc.ProjectServiceStub(channel)
    found = stub.GetProject(project_service_pb2.GetProjectRequest(project_id="here"))
    assert not found.HasField("description")
    assert len(found.SerializeToString()) < 100


@pytest.mark.parametrize("length", [0, 1, 3, 20_000])
def test_a_list_is_a_bare_array(edge: Edge, length: int) -> None:
    query = f"?limit={length}" if length else ""
    status, body = edge.json("GET", f"/api/v1/projects{query}")
    assert status == 200
    assert [entry["name"] for entry in body] == [str(n) for n in range(length)]
    assert all(entry["settings"] == SETTINGS for entry in body[:3])


def test_no_header_of_ours_or_of_grpc_reaches_a_json_caller(edge: Edge) -> None:
    headers = edge.call("GET", "/api/v1/projects?limit=1").headers
    assert not [name for name in headers if name.startswith(("grpc", "x-unwrap", "x-error", "x-http", "x-envoy"))]
    assert headers["x-request-id"]


def test_the_caller_s_request_id_is_kept(edge: Edge) -> None:
    assert edge.call("GET", "/health", x_request_id="mine-1").headers["x-request-id"] == "mine-1"


def test_a_servicer_s_header_reaches_the_caller(edge: Edge) -> None:
    answer = edge.call("POST", "/api/v1/projects", b'{"name":"headers"}')
    assert answer.headers["x-next-cursor"] == "abc"


def test_a_body_may_be_null(edge: Edge) -> None:
    answer = edge.call("GET", "/v1/clusters/abc/executions")
    assert (answer.status, answer.body) == (200, b"null")
    assert "x-null-body" not in answer.headers


def test_the_rag_envelope(edge: Edge) -> None:
    detail = {"project_id": "p 1"}
    body = {"code": "project_not_found", "message": "Project not found.", "detail": detail, "hint": "list the projects"}
    assert edge.json("GET", "/api/v1/projects/p%201") == (404, {"detail": body})


def test_the_clusters_envelope(edge: Edge) -> None:
    error = {
        "message": "Cluster not found.",
        "type": "NotFoundError",
        "code": "cluster_not_found",
        "details": {"cluster_id": "abc"},
    }
    assert edge.json("GET", "/v1/clusters/abc") == (404, {"success": False, "status": 404, "error": error})


def test_typed_clients_get_the_details(channel: grpc.Channel) -> None:
    stub = project_service_pb2_grpc.ProjectServiceStub(channel)
    with pytest.raises(grpc.RpcError) as raised:
        stub.GetProject(project_service_pb2.GetProjectRequest(project_id="nope"))
    trailers = dict(raised.value.trailing_metadata())
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    assert not [name for name in trailers if name.startswith(("x-error", "x-http"))]
    info = error_details_pb2.ErrorInfo()
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain, dict(info.metadata)["project_id"]) == ("PROJECT_NOT_FOUND", "shoal", "nope")


def test_a_busy_server_says_when_to_come_back(edge: Edge, channel: grpc.Channel) -> None:
    answer = edge.call("POST", "/api/v1/projects", b'{"name":"busy"}')
    assert (answer.status, answer.headers["retry-after"]) == (429, "3")
    with pytest.raises(grpc.RpcError) as raised:
        project_service_pb2_grpc.ProjectServiceStub(channel).CreateProject(
            project_service_pb2.CreateProjectRequest(name="busy")
        )
    status = status_pb2.Status.FromString(dict(raised.value.trailing_metadata())["grpc-status-details-bin"])
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in status.details)
    assert retry.retry_delay.seconds == 3


def test_an_unforeseen_error_tells_nothing_but_its_request_id(edge: Edge, channel: grpc.Channel) -> None:
    answer = edge.call("POST", "/api/v1/projects", b'{"name":"boom"}')
    detail = json.loads(answer.body)["detail"]
    assert (answer.status, detail["code"]) == (500, "internal_error")
    assert detail["detail"] == {"request_id": answer.headers["x-request-id"]}
    assert SECRET not in answer.body.decode()
    with pytest.raises(grpc.RpcError) as raised:
        project_service_pb2_grpc.ProjectServiceStub(channel).CreateProject(
            project_service_pb2.CreateProjectRequest(name="boom")
        )
    assert raised.value.code() is grpc.StatusCode.INTERNAL
    assert SECRET not in str(raised.value)


def test_a_failure_with_a_large_detail_still_has_its_envelope(edge: Edge, channel: grpc.Channel) -> None:
    status, body = edge.json("POST", "/api/v1/projects", {"name": "long"})
    assert (status, body["detail"]["code"]) == (400, "bad_request")
    with pytest.raises(grpc.RpcError) as raised:
        project_service_pb2_grpc.ProjectServiceStub(channel).CreateProject(
            project_service_pb2.CreateProjectRequest(name="long")
        )
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


PROBLEMS = [
    ("POST", "/api/v1/projects", {}, [("missing", ["body", "name"])]),
    ("POST", "/api/v1/projects", {"name": None}, [("missing", ["body", "name"])]),
    ("POST", "/api/v1/projects", {"name": ""}, [("string_too_short", ["body", "name"])]),
    ("POST", "/api/v1/projects", {"name": "n" * 201}, [("string_too_long", ["body", "name"])]),
    ("POST", "/api/v1/projects", {"name": 5}, [("string_type", ["body", "name"])]),
    (
        "POST",
        "/api/v1/projects/p/retrieve",
        {"query": "q", "limit": 5.5, "strategy": {"type": "bm25"}},
        [("int_from_float", ["body", "limit"])],
    ),
    ("POST", "/api/v1/projects", {"name": ["x"]}, None),
    ("POST", "/api/v1/projects", [], None),
    ("GET", "/api/v1/projects?limit=0", None, [("greater_than_equal", ["query", "limit"])]),
    ("GET", "/api/v1/projects?limit=x", None, [("int_parsing", ["query", "limit"])]),
    ("GET", "/api/v1/projects?limit=1.5", None, [("int_parsing", ["query", "limit"])]),
    (
        "POST",
        "/api/v1/projects/p/retrieve",
        {"query": "q", "strategy": {"type": "zzz"}},
        [("union_tag_invalid", ["body", "strategy"])],
    ),
    (
        "POST",
        "/api/v1/projects/p/retrieve",
        {"query": "q", "strategy": {"type": "bm25", "k": 0}},
        [("greater_than_equal", ["body", "strategy", "bm25", "k"])],
    ),
    (
        "POST",
        "/api/v1/projects/p/retrieve",
        {"query": "q", "strategy": {"type": "bm25", "k": "many"}},
        [("int_parsing", ["body", "strategy", "k"])],
    ),
    ("POST", "/api/v1/projects", {"name": "x", "settings": {"extra": {"k": "a\0b"}}}, None),
]


@pytest.mark.parametrize(("method", "path", "body", "expected"), PROBLEMS)
def test_bad_fields_are_listed(edge: Edge, method: str, path: str, body: object, expected: object) -> None:
    status, answer = edge.json(method, path, body)
    assert status == 422, answer
    assert all(set(entry) >= {"type", "loc", "msg", "input"} for entry in answer["detail"])
    if expected is not None:
        assert [(entry["type"], entry["loc"]) for entry in answer["detail"]] == expected


def test_the_clusters_family_lists_bad_fields_in_both_forms(edge: Edge) -> None:
    status, answer = edge.json("GET", "/v1/clusters?limit=x")
    assert (status, answer["error"]["type"], answer["success"]) == (422, "ValidationError", False)
    assert answer["detail"][0]["loc"] == ["query", "limit"]
    assert answer["error"]["details"]["validation_errors"][0]["location"] == ["query", "limit"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ('{"a":[["b"]]}', None),
        ('a"b\\c', None),
        ("a\0b\n\x1f", None),
        ("k\u00e4se \u20ac \U0001f600", None),
        (b"\xff", "\ufffd"),
        (b"a\xc0\xafb\xed\xa0\x80c\xe2\x82", "a\ufffdb\ufffdc\ufffd"),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/projects", "/v1/clusters"])
def test_whatever_stood_in_the_query_is_shown_as_json(
    edge: Edge, path: str, given: str | bytes, shown: str | None
) -> None:
    status, answer = edge.json("GET", f"{path}?limit={quote(given)}")
    assert status == 422
    assert answer["detail"][0]["loc"] == ["query", "limit"]
    assert answer["detail"][0]["input"] == (given if shown is None else shown)


def test_http_that_cannot_be_served_has_the_envelope_too(edge: Edge) -> None:
    status, answer = edge.json("GET", "/v1/clusters/%00")
    assert (status, answer["error"]["type"]) == (400, "BadRequestError")
    status, answer = edge.json("GET", "/api/v1/projects/%00")
    assert (status, answer["detail"]["code"]) == (400, "bad_request")
    host, _, port = edge.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        head, _, body = b"".join(iter(lambda: connection.recv(4096), b"")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 426 ")
    assert json.loads(body)["detail"]["message"] == "Call over HTTP/1.1 or HTTP/2."


@pytest.mark.parametrize("body", [b"{", b"", b"nonsense", b'{"name":"x"} trailing', b'{"name":"\xff\xfe"}', b"[[[["])
def test_a_body_that_is_no_json_is_refused(edge: Edge, body: bytes) -> None:
    answer = edge.call("POST", "/api/v1/projects", body)
    assert answer.status == 422, answer.body
    assert json.loads(answer.body)["detail"][0]["loc"][0] == "body"


@pytest.mark.parametrize("depth", [10, 60, 80, 95, 120, 5000])
def test_deep_nesting_is_taken_or_refused_but_never_an_internal_error(edge: Edge, depth: int) -> None:
    nested = b'{"a":' * depth + b"1" + b"}" * depth
    answer = edge.call("POST", "/api/v1/projects", b'{"name":"deep","settings":{"extra":' + nested + b"}}")
    assert answer.status in ({200} if depth < 20 else {200, 422}), answer.body
    assert b"DecodeError" not in answer.body


def test_deep_nesting_by_grpc_is_an_invalid_argument(channel: grpc.Channel) -> None:
    value = struct_pb2.Value(number_value=1)
    raw = value.SerializeToString()
    for _ in range(150):
        raw = struct_pb2.Struct(fields={}).SerializeToString() + _entry(raw)
        raw = b"\x2a" + _length(raw)
    call = channel.unary_unary("/shoal.rag.v1.ProjectService/CreateProject")
    with pytest.raises(grpc.RpcError) as raised:
        call(b"\x0a\x04deep" + b"\x1a" + _length(b"\x1a" + _length(_entry(raw))))
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def _length(raw: bytes) -> bytes:
    size, head = len(raw), bytearray()
    while size > 127:
        head.append(size & 127 | 128)
        size >>= 7
    return bytes([*head, size]) + raw


def _entry(value: bytes) -> bytes:
    return b"\x0a" + _length(b"\x0a\x01a" + b"\x12" + _length(value))


def test_bytes_that_are_no_message_are_an_invalid_argument(channel: grpc.Channel) -> None:
    for raw in (b"\xff\xff\xff", b"\x0a\x02\xff\xfe"):
        with pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary("/shoal.rag.v1.ProjectService/CreateProject")(raw)
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_number_that_json_has_not_is_refused(channel: grpc.Channel) -> None:
    request = project_service_pb2.CreateProjectRequest(name="x")
    request.settings.extra.fields["n"].number_value = float("nan")
    with pytest.raises(grpc.RpcError) as raised:
        project_service_pb2_grpc.ProjectServiceStub(channel).CreateProject(request)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_invalid_utf8_in_a_path_is_refused(edge: Edge) -> None:
    answer = edge.call("GET", "/api/v1/projects/%ff")
    assert answer.status == 422, answer.body
    assert json.loads(answer.body)["detail"][0]["loc"]


def test_a_forged_header_does_not_make_a_grpc_client_a_json_caller(channel: grpc.Channel) -> None:
    stub = project_service_pb2_grpc.ProjectServiceStub(channel)
    forged = (("x-envoy-original-path", "/api/v1/projects"), ("x-envoy-original-method", "POST"))
    answer = stub.CreateProject(project_service_pb2.CreateProjectRequest(name="x"), metadata=forged)
    assert answer.description == "json=False namespace=None"
    with pytest.raises(grpc.RpcError) as raised:
        stub.GetProject(project_service_pb2.GetProjectRequest(project_id="nope"), metadata=forged)
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


def test_the_namespace_comes_from_the_header_or_the_query(edge: Edge) -> None:
    _, body = edge.json("POST", "/api/v1/projects?namespace=asked", {"name": "x"})
    assert body["description"] == "json=True namespace=asked"
    _, body = edge.json("POST", "/api/v1/projects?namespace=asked", {"name": "x"}, x_namespace="named")
    assert body["description"] == "json=True namespace=named"


UNKNOWN = [
    ("GET", "/nope", 404, {"detail": "Not Found"}, None),
    ("GET", "/api/v1", 404, {"detail": "Not Found"}, None),
    ("PUT", "/health", 405, {"detail": "Method Not Allowed"}, "GET"),
    ("DELETE", "/api/v1/projects?x=1", 405, {"detail": "Method Not Allowed"}, "GET, POST"),
    ("PUT", "/api/v1/projects/abc", 405, {"detail": "Method Not Allowed"}, "GET, PATCH"),
]


@pytest.mark.parametrize(("method", "path", "status", "body", "allow"), UNKNOWN)
def test_unknown_paths_and_methods(edge: Edge, method: str, path: str, status: int, body: object, allow: str) -> None:
    answer = edge.call(method, path)
    assert (answer.status, json.loads(answer.body), answer.headers.get("allow")) == (status, body, allow)


def test_unknown_paths_of_the_clusters_family_have_its_envelope(edge: Edge) -> None:
    status, body = edge.json("GET", "/v1/nope")
    assert (status, body["error"]["type"]) == (404, "NotFoundError")
    status, body = edge.json("PUT", "/v1/clusters/list")
    assert (status, body["status"], body["error"]["type"]) == (405, 405, "MethodNotAllowedError")


def test_a_slash_too_many_is_sent_to_the_path_without_it(edge: Edge) -> None:
    answer = edge.call("GET", "/api/v1/projects/?limit=1")
    assert answer.status == 307
    assert answer.headers["location"].endswith("/api/v1/projects?limit=1")
    assert edge.call("GET", "/nope/").status == 404


def test_a_body_over_the_limit_is_refused(edge: Edge) -> None:
    status, body = edge.json("POST", "/api/v1/projects", {"name": "x", "pad": "x" * JSON_LIMIT})
    assert (status, body["detail"]["code"]) == (413, "request_too_large")
    status, body = edge.json("POST", "/v1/clusters", {"name": "x", "pad": "x" * JSON_LIMIT})
    assert (status, body["error"]["type"]) == (413, "PayloadTooLargeError")


def test_a_body_near_the_limit_passes(edge: Edge) -> None:
    status, _ = edge.json("POST", "/api/v1/projects", {"name": "x", "pad": "x" * (JSON_LIMIT - 100)})
    assert status == 200


def test_uploads_leave_no_memory_behind(edge: Edge) -> None:
    path, form = "/api/v1/projects/p/documents", "multipart/form-data; boundary=b"
    body = b"u" * (UPLOAD_LIMIT - 1024 * 1024)
    edge.call("POST", path, body, content_type=form)  # as much as the windows of a connection ever hold
    before = edge.memory()
    for _ in range(3):
        answer = edge.call("POST", path, body, content_type=form)
        assert (answer.status, json.loads(answer.body)["document"]["filename"]) == (200, str(len(body)))
    assert edge.memory() - before < 30 * 1024 * 1024


def test_an_upload_over_the_limit_is_refused(edge: Edge) -> None:
    with socket.create_connection(("127.0.0.1", int(edge.address.rpartition(":")[2])), timeout=10) as connection:
        head = f"POST /api/v1/projects/p/documents HTTP/1.1\r\nhost: x\r\ncontent-length: {UPLOAD_LIMIT * 2}\r\n\r\n"
        connection.sendall(head.encode())
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_stream_arrives_whole(edge: Edge) -> None:
    answer = edge.call("GET", "/api/v1/segment_sets/whole")
    assert answer.status == 200
    assert len(json.loads(answer.body)["items"]) == 16 * len(PART)
    assert answer.headers["content-type"] == "application/json"


def test_a_stream_that_fails_at_once_has_the_envelope(edge: Edge) -> None:
    status, body = edge.json("GET", "/api/v1/segment_sets/unknown")
    assert (status, body["detail"]["code"]) == (404, "segment_set_not_found")


def test_a_stream_that_fails_midway_is_broken_off(edge: Edge, channel: grpc.Channel) -> None:
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        edge.call("GET", "/api/v1/segment_sets/midway")
    stub = segment_set_service_pb2_grpc.SegmentSetServiceStub(channel)
    with pytest.raises(grpc.RpcError) as raised:
        list(
            stub.GetSegmentSetWithItems(segment_set_service_pb2.GetSegmentSetWithItemsRequest(segment_set_id="midway"))
        )
    assert raised.value.code() is grpc.StatusCode.DATA_LOSS


def test_one_caller_cannot_hold_all_streams(edge: Edge) -> None:
    SETS.end.clear()
    while SETS.waiting.acquire(blocking=False):
        pass
    try:
        with futures.ThreadPoolExecutor(2) as pool:
            held = [pool.submit(edge.call, "GET", "/api/v1/segment_sets/waiting") for _ in range(2)]
            assert SETS.waiting.acquire(timeout=5)
            assert SETS.waiting.acquire(timeout=5)
            refused = edge.call("GET", "/api/v1/segment_sets/whole")
            assert refused.status == 429
            assert json.loads(refused.body)["detail"]["code"] == "too_many_requests"
            assert refused.headers["retry-after"] == "1"
            assert edge.json("GET", "/health")[0] == 200  # short calls do not wait for streams
            SETS.end.set()
            assert [future.result().status for future in held] == [200, 200]
    finally:
        SETS.end.set()
    assert _until(lambda: edge.call("GET", "/api/v1/segment_sets/whole"), lambda answer: answer.status == 200)


def _until(call: Callable[[], HttpAnswer], holds: Callable[[HttpAnswer], bool], seconds: float = 5) -> HttpAnswer:
    deadline = time.monotonic() + seconds
    while True:
        answer = call()
        if holds(answer) or time.monotonic() > deadline:
            assert holds(answer)
            return answer
        time.sleep(0.05)


def test_a_reader_that_goes_away_ends_the_stream(edge: Edge) -> None:
    while SETS.ended.acquire(blocking=False):
        pass
    SETS.end.set()
    connection = http.client.HTTPConnection(edge.address, timeout=5)
    connection.request("GET", "/api/v1/segment_sets/waiting")
    connection.getresponse().read(1000)
    connection.close()
    assert SETS.ended.acquire(timeout=5)


def test_pages_of_other_origins_may_not_call(edge: Edge) -> None:
    evil = edge.call(
        "POST", "/api/v1/projects", b'{"name":"x"}', origin="https://evil.example", content_type="text/plain"
    )
    assert (evil.status, json.loads(evil.body)["detail"]["code"]) == (403, "permission_denied")
    assert edge.call("GET", "/health", origin="http://localhost.evil.example").status == 403


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1", "https://maps.example"])
def test_pages_of_this_machine_and_named_ones_may_call(edge: Edge, origin: str) -> None:
    asked = edge.call(
        "OPTIONS",
        "/api/v1/projects",
        origin=origin,
        access_control_request_method="POST",
        access_control_request_headers="content-type,x-namespace",
    )
    assert (asked.status, asked.headers["access-control-allow-origin"]) == (200, origin)
    assert edge.call("GET", "/health", origin=origin).headers["access-control-allow-origin"] == origin


def test_answers_are_compressed_for_those_who_ask(edge: Edge) -> None:
    answer = edge.call("GET", "/api/v1/projects?limit=1000", accept_encoding="gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert len(json.loads(zlib.decompress(answer.body, wbits=31))) == 1000


def test_a_header_with_an_underscore_is_refused(edge: Edge) -> None:
    assert edge.call("GET", "/health", **{"x-a": "1"}).status == 200
    connection = http.client.HTTPConnection(edge.address, timeout=5)
    connection.request("GET", "/health", headers={"x_namespace": "other"})
    assert connection.getresponse().status == 400
    connection.close()


def test_health_of_each_service(channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    for service in ("", "shoal.rag.v1.ProjectService", "shoal.clusters.v1.ClusterService", "grpc.health.v1.Health"):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=""))
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection_lists_services_and_hands_out_files(channel: grpc.Channel, version: str) -> None:
    call = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=lambda m: m.SerializeToString(),
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    asks = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="shoal.rag.v1.ProjectService"),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=f"grpc.reflection.{version}.ServerReflection"),
    ]
    listed, ours, own = call(iter(asks))
    names = {service.name for service in listed.list_services_response.service}
    assert {"shoal.rag.v1.ProjectService", "grpc.reflection.v1.ServerReflection"} <= names
    assert ours.file_descriptor_response.file_descriptor_proto
    assert own.file_descriptor_response.file_descriptor_proto


def test_grpc_web_passes(edge: Edge) -> None:
    request = project_service_pb2.GetProjectRequest(project_id="here").SerializeToString()
    frame = b"\0" + len(request).to_bytes(4, "big") + request
    answer = edge.call(
        "POST",
        "/shoal.rag.v1.ProjectService/GetProject",
        frame,
        content_type="application/grpc-web+proto",
        x_grpc_web="1",
    )
    assert (answer.status, answer.headers["content-type"]) == (200, "application/grpc-web+proto")
    assert b"grpc-status:0" in answer.body
    failed = edge.call(
        "POST", "/shoal.rag.v1.ProjectService/GetProject", b"\0\0\0\0\0", content_type="application/grpc-web+proto"
    )
    assert "3" in {
        failed.headers.get("grpc-status"),
        *[p[12:13].decode() for p in failed.body.split(b"\r\n") if p.startswith(b"grpc-status")],
    }


def test_the_openapi_documents_are_served(edge: Edge) -> None:
    titles = [
        edge.json("GET", path)[1]["info"]["title"]
        for path in ("/api/v1/openapi.json", "/v1/openapi.json", "/openapi.json")
    ]
    assert titles == ["RAG API", "Clusters API", "Shoal"]


def test_the_log_of_requests_shows_no_token_of_a_link(edge: Edge) -> None:
    for path in ("/v1/files/opensesame?x=1", "/api/v1/projects/behind-the-token"):
        edge.call("GET", path)
    deadline = time.monotonic() + 15
    while "behind-the-token" not in (log := edge.access_log.read_text()) and time.monotonic() < deadline:
        edge.call("GET", "/health")  # Envoy writes its log every ten seconds, or when there is much of it
    shown = [json.loads(line)["http"] for line in log[: log.rindex("\n")].splitlines()]
    assert "GET /v1/files/[hidden]" in shown
    assert "GET /api/v1/projects/behind-the-token" in shown
    assert "opensesame" not in log


def test_a_deadline_of_the_caller_is_kept(channel: grpc.Channel) -> None:
    SETS.end.clear()
    stub = segment_set_service_pb2_grpc.SegmentSetServiceStub(channel)
    started = time.monotonic()
    with pytest.raises(grpc.RpcError) as raised:
        list(
            stub.GetSegmentSetWithItems(
                segment_set_service_pb2.GetSegmentSetWithItemsRequest(segment_set_id="waiting"), timeout=0.5
            )
        )
    SETS.end.set()
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 10


def test_a_server_that_stops_says_so_first_and_lets_calls_end(tmp_path: Path) -> None:
    sets = SegmentSets()
    with running_edge(tmp_path, adder(sets)) as edge:
        with futures.ThreadPoolExecutor(2) as pool:
            held = pool.submit(edge.call, "GET", "/api/v1/segment_sets/waiting")
            time.sleep(0.3)
            drained = pool.submit(edge.servers.drain, notice=1.0, grace=10)
            time.sleep(0.8)  # told, and heard by Envoy's health check
            status, body = edge.json("GET", "/api/v1/projects")
            assert (status, body["detail"]["code"]) == (503, "unavailable")
            sets.end.set()
            assert held.result().status == 200
            drained.result(10)
        status, body = edge.json("GET", "/v1/clusters/abc")
        assert (status, body["error"]["type"]) == (503, "ServiceUnavailableError")
        with grpc.insecure_channel(edge.address) as channel, pytest.raises(grpc.RpcError) as raised:
            project_service_pb2_grpc.ProjectServiceStub(channel).ListProjects(project_service_pb2.ListProjectsRequest())
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "{" not in str(raised.value.details())  # words, and no body that is meant for JSON callers
